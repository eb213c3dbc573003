core();
