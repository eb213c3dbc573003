def create():
    return "app"
