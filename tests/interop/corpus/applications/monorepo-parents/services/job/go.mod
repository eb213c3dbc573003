module job
