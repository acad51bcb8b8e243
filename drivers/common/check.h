/*
 * What a domain document must satisfy whatever the driver. check.c walks the document along the table of values
 * (check_rules.c); the other files hold the rules among several elements: check_domain.c for the machine as a whole,
 * check_devices.c for its devices one by one, check_addresses.c for their places, check_machine.c for what one architecture or machine type does not have.
 *
 * All take a <domain> element that is not completed yet, and return 0, or -1 with the one error set.
 */
#ifndef VIRT_COMMON_CHECK_H
#define VIRT_COMMON_CHECK_H

#include "../driver.h"
#include "xml.h"

enum virCheckFlags {
    VIR_CHECK_NEED = 1,              /* it must be there */
    VIR_CHECK_UNSUPPORTED = 2,       /* another word is VIR_ERR_CONFIG_UNSUPPORTED instead of VIR_ERR_XML_ERROR */
};

struct virCheckRule {
    const char *path, *attribute;
    int flags;
    const char *allowed;
    const char *when;                /* NULL: always */
};

/* The rules of a path: *count of them, from the one that is returned on. */
VIRT_INTERNAL const struct virCheckRule *virCheckRulesOf(const char *path, size_t *count);
/* For the tests: the first row of the table that is out of order, 0 if none is. */
VIRT_INTERNAL size_t virCheckRulesDisorder(void);

/* Everything. */
VIRT_INTERNAL int virDocumentCheck(xmlNodePtr domain);

VIRT_INTERNAL int virCheckDomain(xmlNodePtr domain);
VIRT_INTERNAL int virCheckDevices(xmlNodePtr domain);
VIRT_INTERNAL int virCheckAddresses(xmlNodePtr domain);
VIRT_INTERNAL int virCheckMachine(xmlNodePtr domain);

/*
 * A list of numbers such as "0-3,^2,8" into a set; numbers from VIR_CHECK_SET_MAX on are refused. 0, or -1 without an error set.
 */
#define VIR_CHECK_SET_MAX 16384
struct virCheckSet { unsigned char bits[VIR_CHECK_SET_MAX / 8]; };
VIRT_INTERNAL int virCheckParseSet(const char *text, struct virCheckSet *set);
VIRT_INTERNAL bool virCheckSetHas(const struct virCheckSet *set, unsigned int number);
/* The first member from a number on; VIR_CHECK_SET_MAX: none. */
VIRT_INTERNAL unsigned int virCheckSetNext(const struct virCheckSet *set, unsigned int from);
#define VIR_CHECK_EACH_MEMBER(i, set) \
    for (unsigned int i = virCheckSetNext(set, 0); i < VIR_CHECK_SET_MAX; i = virCheckSetNext(set, i + 1))
VIRT_INTERNAL bool virCheckSetIsEmpty(const struct virCheckSet *set);
VIRT_INTERNAL bool virCheckSetOverlaps(const struct virCheckSet *a, const struct virCheckSet *b);

/* A MAC address; 0, or -1 without an error set. */
VIRT_INTERNAL int virCheckParseMac(const char *text, unsigned char *mac);
/* Whether a text is one of the words in "a|b|c". */
VIRT_INTERNAL bool virCheckIsWord(const char *text, const char *words);

#endif
