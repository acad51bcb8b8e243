/* Connection URIs. */
#include "../../drivers/common/uri.h"
#include "../fault.h"
#include "../harness.h"

TEST(parts_are_told_apart)
{
    struct virUri *uri = virUriParse("qemu+tcp://us%40er@host.example:1234/sys%20tem?root=/a%26b&flag;x=1#frag");

    CHECK_PTR(uri);
    CHECK_STR(uri->scheme, "qemu");
    CHECK_STR(uri->transport, "tcp");
    CHECK_STR(uri->user, "us@er");
    CHECK_STR(uri->server, "host.example");
    CHECK_INT(uri->port, 1234);
    CHECK_STR(uri->path, "/sys tem");
    CHECK_STR(uri->query, "root=/a%26b&flag;x=1");
    CHECK_UINT(uri->nparams, 3);
    CHECK_STR(virUriParam(uri, "root"), "/a&b");
    CHECK_STR(virUriParam(uri, "flag"), "");
    CHECK_STR(virUriParam(uri, "x"), "1");
    CHECK_NULL(virUriParam(uri, "none"));
    virUriFree(uri);
}

TEST(local_uris_have_no_server)
{
    static const struct { const char *text, *scheme, *path; } uris[] = {
        { "test:///default", "test", "/default" }, { "qemu:///embed?root=/x", "qemu", "/embed" }, { "test:/x", "test", "/x" },
        { "qemu://", "qemu", "" }, { "x:", "x", "" },
    };

    for (size_t i = 0; i < sizeof(uris) / sizeof(uris[0]); i++) {
        struct virUri *uri = virUriParse(uris[i].text);

        CHECK_PTR(uri);
        CHECK_STR(uri->scheme, uris[i].scheme);
        CHECK_STR(uri->path, uris[i].path);
        CHECK_NULL(uri->server);
        CHECK_NULL(uri->transport);
        CHECK_INT(uri->port, 0);
        virUriFree(uri);
    }
}

TEST(an_ipv6_server_stands_in_brackets)
{
    struct virUri *uri = virUriParse("qemu+tls://[fe80::1]:16514/system");

    CHECK_PTR(uri);
    CHECK_STR(uri->server, "fe80::1");
    CHECK_INT(uri->port, 16514);
    virUriFree(uri);
}

TEST(malformed_uris_are_refused)
{
    static const char *const texts[] = {
        "", "/path", "://x", "1test:///x", "te st:///x", "test:///a b", "test:///%", "test:///%0", "test:///%zz", "test:///%00", "qemu://h:99999/x",
        "qemu://h:x/x", "qemu://[::1/x", "qemu://[]/x", "qemu+:///x", "test:///x?=v", "test:///\x01", "qemu://[::1]x/y",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        harnessContext("%s", texts[i]);
        CHECK_FAILS_NULL(virUriParse(texts[i]), VIR_ERR_INVALID_ARG);
    }
}

static int
parseOne(void *opaque)
{
    struct virUri *uri = virUriParse(opaque);

    if (uri == NULL)
        return -1;
    virUriFree(uri);
    return 0;
}

TEST(parsing_survives_every_failing_allocation)
{
    FAULT_EACH_ALLOCATION(parseOne, (void *)"qemu+tcp://user@host:1/path?a=b&c=d");
}
