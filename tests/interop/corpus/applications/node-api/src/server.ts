const name: string = "api"
