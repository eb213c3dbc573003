runtime
