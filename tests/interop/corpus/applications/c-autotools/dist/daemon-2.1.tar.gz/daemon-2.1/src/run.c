void run(void) {}
