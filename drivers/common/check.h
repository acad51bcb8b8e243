/*
 * What a domain document must satisfy whatever the driver: check.c walks the table of values (check_rules.c), the other files hold the rules
 * among several elements. A rule that fails has set the error.
 */
#ifndef VIRT_COMMON_CHECK_H
#define VIRT_COMMON_CHECK_H

#include "../driver.h"
#include "xml.h"

/* All of the below, for a <domain> element that is not completed yet. 0, or -1 with one error set. */
VIRT_INTERNAL int virDocumentCheck(xmlNodePtr domain);

#endif
