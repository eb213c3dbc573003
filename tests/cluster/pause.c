/* The pod's first process: it holds the namespaces open, buries orphans where it is pid 1, and ends when told to. */
#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>

int main(void)
{
	sigset_t awaited;
	int number;

	sigemptyset(&awaited);
	sigaddset(&awaited, SIGINT);
	sigaddset(&awaited, SIGTERM);
	sigaddset(&awaited, SIGCHLD);
	/* Blocked, so that pid 1 gets them although it has no handlers, and none is lost between two waits. */
	if (sigprocmask(SIG_BLOCK, &awaited, NULL) != 0)
		return 1;
	for (;;) {
		if (sigwait(&awaited, &number) != 0)
			return 1;
		if (number != SIGCHLD)
			return 0;
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}
