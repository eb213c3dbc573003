"""Doing it: files, mounts, processes, sockets. Each package hides one kind of effect behind a few names."""
