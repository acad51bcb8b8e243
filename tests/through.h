/* The tests that cannot go through a server, and why: program, test (NULL: all of its), reason. */
{ "remote", NULL, "it has servers of its own" },
{ "driver", NULL, "a driver that the test registers is in the test's process only" },
{ "connection", "a_local_connection_is_alive_and_secure_and_never_encrypted", "keep-alive is for connections through a server alone" },
{ "lease_test", "parameters_that_are_wrong_are_refused", "what it opens is refused because of what else the server's process has open" },
{ "lease_test", "failures_of_the_system_start_a_guest_or_say_so",
  "an answer for which the client has no memory is an error, though the server has done it" },
{ "qemu_lifecycle", "a_root_opens_and_closes_thousands_of_times", "each time is a server of its own here: it takes minutes" },
