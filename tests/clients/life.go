// Debian's Go binding: a guest's life, its events in the default loop, and an error.
package main

import (
	"fmt"
	"io/ioutil"
	"os"
	"strings"
	"time"

	libvirt "github.com/libvirt/libvirt-go"
)

func check(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func main() {
	maps, err := ioutil.ReadFile("/proc/self/maps")
	check(err)
	if !strings.Contains(string(maps), os.Getenv("LD_LIBRARY_PATH")+"/libvirt.so.0") {
		check(fmt.Errorf("another library"))
	}
	check(libvirt.EventRegisterDefaultImpl())
	conn, err := libvirt.NewConnect(os.Getenv("EMBED"))
	check(err)
	seen := make(chan libvirt.DomainEventType, 100)
	number, err := conn.DomainEventLifecycleRegister(nil,
		func(c *libvirt.Connect, d *libvirt.Domain, event *libvirt.DomainEventLifecycle) { seen <- event.Event })
	check(err)
	go func() {
		for {
			check(libvirt.EventRunDefaultImpl())
		}
	}()

	_, err = conn.LookupDomainByName("nobody")
	if failure, ok := err.(libvirt.Error); !ok || failure.Code != libvirt.ERR_NO_DOMAIN {
		check(fmt.Errorf("not libvirt's error: %v", err))
	}
	domain, err := conn.DomainDefineXML("<domain type='qemu'><name>g</name><memory unit='MiB'>32</memory>" +
		"<os><type arch='x86_64' machine='pc'>hvm</type></os></domain>")
	check(err)
	check(domain.Create())
	info, err := domain.GetInfo()
	check(err)
	if info.State != libvirt.DOMAIN_RUNNING || info.MaxMem != 32768 {
		check(fmt.Errorf("it is %v", info))
	}
	check(domain.Suspend())
	check(domain.Resume())
	check(domain.Destroy())
	for event := libvirt.DOMAIN_EVENT_DEFINED; event != libvirt.DOMAIN_EVENT_STOPPED; {
		select {
		case event = <-seen:
		case <-time.After(20 * time.Second):
			check(fmt.Errorf("it is not told that the guest stopped"))
		}
	}
	check(conn.DomainEventDeregister(number))
	check(domain.Undefine())
	check(domain.Free())
}
