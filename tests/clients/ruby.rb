# ruby-libvirt: one scenario a method, named on the command line.
require "libvirt"

SCRATCH = ENV["SCRATCH"]
EMBED = ENV["EMBED"]

def guest(name)
  "<domain type='qemu'><name>#{name}</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
   <os><type arch='x86_64' machine='pc'>hvm</type></os><devices>
   <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='#{ENV["IMAGE"]}'/>
   <target dev='vda' bus='virtio'/><readonly/></disk>
   <serial type='file'><source path='#{SCRATCH}/#{name}.out'/></serial></devices></domain>"
end

def count(name)
  path = "#{SCRATCH}/#{name}.out"
  File.exist?(path) ? File.read(path).lines[0..-2].grep(/^\d+\s*$/).last.to_i : 0
end

def wait_for(what)
  last = Time.now + 20
  until yield
    raise "waited in vain: #{what}" if Time.now > last
    sleep 0.02
  end
end

def counts_on(name)
  seen = count(name)
  wait_for("#{name} counts") { count(name) > seen + 5 }
end

def same(found, wanted)
  raise "found #{found.inspect}, wanted #{wanted.inspect}" if found != wanted
end

def fails(code)
  yield
rescue Libvirt::Error => error
  same(error.libvirt_code, code)
  error.libvirt_message
else
  raise "it succeeded"
end

def lifecycle
  conn = Libvirt.open(EMBED)
  same(conn.type, "QEMU")
  domain = conn.define_domain_xml(guest("g"))
  domain.create
  counts_on("g")
  same(domain.info.state, Libvirt::Domain::RUNNING)
  same(domain.info.max_mem, 32768)
  domain.suspend
  same(domain.state[0], Libvirt::Domain::PAUSED)
  domain.resume
  counts_on("g")
  same(conn.list_all_domains.map(&:name), ["g"])
  same(conn.lookup_domain_by_uuid(domain.uuid).id, domain.id)
  raise "no seconds" unless domain.info.cpu_time > 0
  domain.destroy
  domain.undefine
  same(conn.num_of_defined_domains, 0)
end

def errors
  conn = Libvirt.open(EMBED)
  text = fails(42) { conn.lookup_domain_by_name("nobody") }
  raise text unless text.include?("nobody")
  fails(35) { conn.define_domain_xml("<domain") }
  fails(3) { conn.list_all_networks }
  fails(5) { Libvirt.open("nosuch:///system") }
  fails(29) { Libvirt.open_read_only("test:///default").lookup_domain_by_name("test").destroy }
end

# A loop in Ruby: the library hands it descriptors and timers.
class OwnLoop
  def initialize
    @watches = {}
    @timers = {}
    @last = 0
    Libvirt.event_register_impl(->(fd, events, opaque) { add(fd, events, opaque) },
                                ->(watch, events) { update(watch, events) }, ->(watch) { remove(watch) },
                                ->(interval, opaque) { add_timer(interval, opaque) },
                                ->(timer, interval) { update_timer(timer, interval) },
                                ->(timer) { remove_timer(timer) })
  end

  def add(fd, events, opaque)
    @watches[@last += 1] = [fd, events, opaque]
    @last
  end

  def update(watch, events)
    @watches[watch][1] = events
  end

  def remove(watch)
    @watches.delete(watch)[2]
  end

  def add_timer(interval, opaque)
    @timers[@last += 1] = [interval, Time.now + interval / 1000.0, opaque]
    @last
  end

  def update_timer(timer, interval)
    @timers[timer][0..1] = [interval, Time.now + interval / 1000.0]
  end

  def remove_timer(timer)
    @timers.delete(timer)[2]
  end

  def once
    files = @watches.values.select { |w| w[1] & 1 != 0 }.map { |w| IO.for_fd(w[0], autoclose: false) }
    ready = IO.select(files, nil, nil, 0.02) || [[]]
    ready[0].map(&:fileno).each do |fd|
      watch, found = @watches.find { |_, w| w[0] == fd }
      Libvirt.event_invoke_handle_callback(watch, fd, 1, found[2]) if watch
    end
    @timers.to_a.each do |timer, (interval, at, opaque)|
      next unless @timers[timer] && interval >= 0 && at <= Time.now
      update_timer(timer, interval)
      Libvirt.event_invoke_timeout_callback(timer, opaque)
    end
  end
end

def events
  seen = []
  own = OwnLoop.new
  conn = Libvirt.open(EMBED)
  told = lambda { |_conn, domain, event, _detail, _opaque| seen << [domain.name, event] }
  number = conn.domain_event_register_any(Libvirt::Connect::DOMAIN_EVENT_ID_LIFECYCLE, told)
  domain = conn.create_domain_xml(guest("g"))
  domain.suspend
  domain.destroy
  wait_for("it is told that the guest stopped") do
    own.once
    seen.include?(["g", Libvirt::Connect::DOMAIN_EVENT_STOPPED])
  end
  raise seen.inspect unless seen.first == ["g", Libvirt::Connect::DOMAIN_EVENT_STARTED] &&
                            seen.include?(["g", Libvirt::Connect::DOMAIN_EVENT_SUSPENDED])
  conn.domain_event_deregister_any(number)
  # Here, not when the interpreter ends: closing takes descriptors out of the loop, which is Ruby.
  domain.free
  conn.close
  # The interpreter's own end, with callbacks registered, says 1 and not why: it is left out.
  $stdout.flush
  exit!(true)
end

def migrate
  source = Libvirt.open(EMBED)
  target = Libvirt.open(EMBED + "2")
  domain = source.create_domain_xml(guest("g"))
  counts_on("g")
  moved = domain.migrate3(target, { "destination_name" => "moved" }, Libvirt::Domain::MIGRATE_LIVE) if domain.respond_to?(:migrate3)
  moved ||= domain.migrate2(target, nil, Libvirt::Domain::MIGRATE_LIVE, "moved")
  same(moved.name, "moved")
  same(source.list_all_domains, [])
  counts_on("g")
  moved.destroy
end

loaded = File.readlines("/proc/self/maps").map { |l| l.split.last }.grep(%r{/libvirt\.so}).uniq
same(loaded, ["#{ENV["LD_LIBRARY_PATH"]}/libvirt.so.0"])
send(ARGV[0])
