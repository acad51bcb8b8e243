# Sys::Virt, the Perl binding: one scenario a function, named on the command line.
use strict;
use warnings;
use Sys::Virt;
use Sys::Virt::Domain;
use Sys::Virt::Event;
use Time::HiRes qw(sleep time);

my ($scratch, $embed) = @ENV{qw(SCRATCH EMBED)};

sub guest
{
    my ($name) = @_;
    return "<domain type='qemu'><name>$name</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
        <os><type arch='x86_64' machine='pc'>hvm</type></os><devices>
        <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='$ENV{IMAGE}'/>
        <target dev='vda' bus='virtio'/><readonly/></disk>
        <serial type='file'><source path='$scratch/$name.out'/></serial></devices></domain>";
}

sub count
{
    my ($name) = @_;
    open(my $out, "<", "$scratch/$name.out") or return 0;
    my @lines = grep(/^\d+\s*$/, <$out>);
    return $#lines > 0 ? $lines[-2] + 0 : 0;
}

sub wait_for
{
    my ($condition, $what) = @_;
    my $end = time() + 20;
    until ($condition->()) {
        die "waited in vain: $what" if time() > $end;
        sleep(0.02);
    }
}

sub counts_on
{
    my ($name) = @_;
    my $seen = count($name);
    wait_for(sub { count($name) > $seen + 5 }, "$name counts");
}

sub same
{
    my ($found, $wanted) = @_;
    die "found '$found', wanted '$wanted'" . join(" ", caller()) unless $found eq $wanted;
}

sub fails
{
    my ($code, $function) = @_;
    eval { $function->(); 1 } and die "it succeeded";
    die "not an error of the binding: $@" unless ref($@) eq "Sys::Virt::Error";
    same($@->code, $code);
    return $@->message;
}

sub lifecycle
{
    my $conn = Sys::Virt->new(uri => $embed);
    same($conn->get_type(), "QEMU");
    my $domain = $conn->define_domain(guest("g"));
    $domain->create();
    counts_on("g");
    my $info = $domain->get_info();
    same($info->{state}, Sys::Virt::Domain::STATE_RUNNING);
    same($info->{maxMem}, 32768);
    $domain->suspend();
    same(($domain->get_state())[0], Sys::Virt::Domain::STATE_PAUSED);
    $domain->resume();
    counts_on("g");
    same(join(",", map { $_->get_name } $conn->list_all_domains()), "g");
    same($conn->get_domain_by_uuid($domain->get_uuid())->get_id(), $domain->get_id());
    $domain->destroy();
    $domain->undefine();
    same(join(",", $conn->list_all_domains()), "");
}

sub errors
{
    my $conn = Sys::Virt->new(uri => $embed);
    my $text = fails(Sys::Virt::Error::ERR_NO_DOMAIN, sub { $conn->get_domain_by_name("nobody") });
    die $text unless $text =~ /nobody/;
    fails(Sys::Virt::Error::ERR_XML_DETAIL, sub { $conn->define_domain("<domain") });
    fails(Sys::Virt::Error::ERR_NO_SUPPORT, sub { $conn->list_all_networks() });
    fails(Sys::Virt::Error::ERR_NO_CONNECT, sub { Sys::Virt->new(uri => "nosuch:///system") });
    my $reader = Sys::Virt->new(uri => "test:///default", readonly => 1);
    fails(29, sub { $reader->get_domain_by_name("test")->destroy() });
}

sub events
{
    my (@seen, $ticks);
    Sys::Virt::Event::register_default();
    my $timer = Sys::Virt::Event::add_timeout(20, sub { $ticks++ });
    my $conn = Sys::Virt->new(uri => $embed);
    my $number = $conn->domain_event_register_any(undef, Sys::Virt::Domain::EVENT_ID_LIFECYCLE, sub {
        my ($conn, $domain, $event, $detail) = @_;
        push @seen, $event;
    });
    my $domain = $conn->create_domain(guest("g"));
    $domain->suspend();
    $domain->resume();
    $domain->destroy();
    my $end = time() + 20;
    Sys::Virt::Event::run_default() until grep($_ == Sys::Virt::Domain::EVENT_STOPPED, @seen) or time() > $end;
    my @wanted = (Sys::Virt::Domain::EVENT_STARTED, Sys::Virt::Domain::EVENT_SUSPENDED,
                  Sys::Virt::Domain::EVENT_RESUMED, Sys::Virt::Domain::EVENT_STOPPED);
    # the start may itself be told as started and resumed
    splice(@seen, 1, 1) if @seen == 5 and $seen[1] == Sys::Virt::Domain::EVENT_RESUMED;
    same("@seen", "@wanted");
    die "no ticks" unless $ticks;
    $conn->domain_event_deregister_any($number);
    Sys::Virt::Event::remove_timeout($timer);
}

sub migrate
{
    my $source = Sys::Virt->new(uri => $embed);
    my $target = Sys::Virt->new(uri => $embed . "2");
    my $domain = $source->create_domain(guest("g"));
    counts_on("g");
    my $moved = $domain->migrate($target, { "destination_name" => "moved", "bandwidth" => 50 },
                                 Sys::Virt::Domain::MIGRATE_LIVE);
    same($moved->get_name(), "moved");
    same(join(",", $source->list_all_domains()), "");
    counts_on("g");
    my ($type, $stats) = $moved->get_job_stats(Sys::Virt::Domain::JOB_STATS_COMPLETED);
    die "no statistics" unless $stats->{memory_processed} > 0;
    $moved->destroy();
}

# Ends and removes the guest that another program left running.
sub finds
{
    my $conn = Sys::Virt->new(uri => $ARGV[1] || $embed);
    my $domain = $conn->get_domain_by_name("g");
    same($domain->is_active(), 1);
    counts_on("g");
    $domain->destroy();
    $domain->undefine();
}

open(my $maps, "<", "/proc/self/maps") or die;
my @loaded = grep(m{/libvirt\.so}, <$maps>);
die "another library: @loaded" if !@loaded or grep(!m{ \Q$ENV{LD_LIBRARY_PATH}\E/libvirt\.so\.0$}, @loaded);
my %scenarios = (lifecycle => \&lifecycle, errors => \&errors, events => \&events, migrate => \&migrate, finds => \&finds);
$scenarios{$ARGV[0]}->();
