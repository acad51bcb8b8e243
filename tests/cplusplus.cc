// A C++17 program that embeds virt: handles in unique_ptr, lambdas as callbacks, the library compiled as C.
//
//     cc -c virt.c; c++ -std=c++17 tests/cplusplus.cc virt.o ...; ./a.out [URI...]
//
// Each URI is opened, asked, and its guests listed. Without one, or when the parts are switched off, what must
// come is VIR_ERR_NO_CONNECT. -DINSIDE_EXTERN_C includes virt.h within extern "C", as some headers of C++ programs do.
#ifdef INSIDE_EXTERN_C
extern "C" {
# include "../virt.h"
}
#else
# include "../virt.h"
#endif

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

struct Close {
    void operator()(virConnectPtr conn) const { virConnectClose(conn); }
    void operator()(virDomainPtr domain) const { virDomainFree(domain); }
};
using Connection = std::unique_ptr<virConnect, Close>;
using Domain = std::unique_ptr<virDomain, Close>;

[[noreturn]] void fail(const std::string &what)
{
    throw std::runtime_error(what + ": " + virGetLastErrorMessage());
}

std::vector<Domain> guests(const Connection &conn)
{
    virDomainPtr *list = nullptr;
    std::vector<Domain> result;
    int n = virConnectListAllDomains(conn.get(), &list, VIR_CONNECT_LIST_DOMAINS_ACTIVE);

    if (n < 0)
        fail("list");
    for (int i = 0; i < n; i++)
        result.emplace_back(list[i]);
    std::free(list);
    return result;
}

// A suspend and a resume, seen by a lambda while another thread asks.
int events(const Connection &conn, const Domain &domain)
{
    int seen = 0;
    auto event = [](virConnectPtr, virDomainPtr, int, int, void *opaque) { return ++*static_cast<int *>(opaque); };
    virConnectDomainEventCallback callback = event;
    int id = virConnectDomainEventRegisterAny(conn.get(), domain.get(), VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                              VIR_DOMAIN_EVENT_CALLBACK(callback), &seen, nullptr);
    std::thread asks([&domain] {
        virDomainInfo info;

        for (int i = 0; i < 1000; i++)
            if (virDomainGetInfo(domain.get(), &info) < 0)
                std::abort();
    });

    if (id < 0 || virDomainSuspend(domain.get()) < 0 || virDomainResume(domain.get()) < 0) {
        asks.join();
        fail("events");
    }
    asks.join();
    for (int ticks = 0; seen < 2 && ticks < 2000 && virEventRunDefaultImpl() == 0; ticks++)
        ;
    virConnectDomainEventDeregisterAny(conn.get(), id);
    return seen;
}

void use(const char *uri)
{
    Connection conn(virConnectOpen(uri));
    int seen = 0;

    if (!conn)
        fail(uri);
    std::vector<Domain> all = guests(conn);
    if (!all.empty() && (seen = events(conn, all.front())) < 2)
        throw std::runtime_error("no events");
    std::printf("%s: %s, %zu guests, %d events\n", uri, virConnectGetType(conn.get()), all.size(), seen);
}

}

int main(int argc, char **argv)
{
    virSetErrorFunc(nullptr, [](void *, virErrorPtr) {});
    try {
        if (virInitialize() < 0 || virEventRegisterDefaultImpl() < 0 ||
            virEventAddTimeout(2, [](int, void *) {}, nullptr, nullptr) < 0)
            fail("start");
        for (int i = 1; i < argc; i++)
            use(argv[i]);
        if (virConnectOpen("nothing:///") != nullptr || virGetLastErrorCode() != VIR_ERR_NO_CONNECT)
            throw std::runtime_error("a scheme that no driver has was opened");
    } catch (const std::exception &error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
