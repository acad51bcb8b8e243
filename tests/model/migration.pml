/*
 * The migration protocol (Begin, Prepare, Perform, Finish, Confirm) under faults, for the SPIN model checker.
 *
 * Who acts: the source side and the destination side, each with a durable record that survives its crash; two
 * controllers that know nothing of each other, the second made from an older or newer record of the first; the two
 * hypervisors, which go on by themselves whatever becomes of those who manage them; with a lease its service, and a
 * third host that starts the guest as soon as the lease is free.
 *
 * What goes wrong, FAULTS times at most, anywhere: a call that never arrives; a call that is carried out but whose
 * reply is lost; a side that crashes between two durable steps and recovers from its record; a controller that
 * crashes, so that the other one carries on; either hypervisor that dies before the guest runs at the destination;
 * the network that breaks in post-copy; a source that loses its lease, and, for nothing, a third host that takes the
 * lease of a holder whose hypervisor is gone. A destination that hears nothing gives up whenever it likes, as long as
 * its copy is incomplete.
 *
 * What holds: never two of the three hosts run the guest; as long as no fault destroyed the last complete copy, there
 * is one; at the end the guest is in one place, in the state (running, or paused by its user) that it was in before,
 * and nothing is left over.
 *
 *   LEASE=1       a lease with an epoch, moved by compare-and-set: the commit record
 *   POSTCOPY=1    the controllers may switch to post-copy
 *   DEAD_HOLDERS  1: a third host may take the lease from a holder that has died; by default with one controller alone,
 *                 where there are states to spare
 *   BROKEN=1..8   one rule left out each, to see that the checks see it: tests/model/check runs them all
 */
#ifndef FAULTS
#define FAULTS 2
#endif
#ifndef LEASE
#define LEASE 0
#endif
#ifndef POSTCOPY
#define POSTCOPY 0
#endif
#ifndef CONTROLLERS
#define CONTROLLERS 2
#endif
#ifndef BROKEN
#define BROKEN 0
#endif
#ifndef DEAD_HOLDERS
#define DEAD_HOLDERS (CONTROLLERS == 1)
#endif
#define BROKEN_UNKNOWN_IS_NO   (BROKEN == 1)   /* no answer from Finish means that it failed */
#define BROKEN_CPUS_STAND      (BROKEN == 2)   /* the transfer is over when the source's CPUs stand */
#define BROKEN_PRIOR           (BROKEN == 3)   /* whatever comes back is made to run */
#define BROKEN_CONFIRM_EARLY   (BROKEN == 4)   /* post-copy: the source ends when the destination runs */
#define BROKEN_NO_EPOCH        (BROKEN == 5)   /* a lease that is free again counts as still mine */
#define BROKEN_EXPIRY          (BROKEN == 6)   /* a destination that hears nothing gives up a complete copy, too */
#define BROKEN_DEAD_HOLDER     (BROKEN == 7)   /* a destination that has the lease is taken for one that runs, though it has died */
#define BROKEN_SEAT            (BROKEN == 8)   /* the lease of a destination can be taken while its hypervisor lives */

mtype:vm     = { NONE, INCOMING, READY, STOPPED, PAUSED, RUN, GONE };
mtype:src    = { S_IDLE, S_BEGUN, S_PERFORMING, S_PERFORMED, S_HALTED, S_RESUMING, S_KILLING, S_RESUMED, S_KILLED };
mtype:dst    = { D_IDLE, D_PREPARED, D_STARTING, D_KILLING, D_STARTED, D_KILLED };
mtype:ctl    = { C_BEGIN, C_PREPARE, C_PERFORM, C_FINISH, C_HALT, C_CANCEL, C_CONFIRM, C_ROLLBACK, C_OVER };
mtype:answer = { DONE, FAILED, AGAIN };        /* AGAIN: no answer, or none yet */
mtype:mig    = { IDLE, ACTIVE, SPREAD, BROKE, COMPLETED, CANCELLED };   /* SPREAD: post-copy; BROKE: paused in it */
mtype:holder = { NOBODY, SOURCE, DESTINATION, THIRD };

mtype:vm  prior = RUN;                 /* the guest's state before: part of both records */
mtype:vm  vmS = RUN, vmD = NONE, vmT = NONE;
mtype:src srcRec = S_IDLE;
mtype:dst dstRec = D_IDLE;
mtype:ctl ctlRec[CONTROLLERS];
mtype:mig status = IDLE;               /* what the source's hypervisor says of the migration */
bool pages = false;                    /* the destination has all memory */
bool moving = false;                   /* the destination has, or may have, moved the lease: part of its record */
bool lost = false;                     /* a fault destroyed the last complete copy: nobody can help */
bool elsewhere = false;                /* the third host has run the guest: every other copy is stale */
byte faults = FAULTS;
byte over = 0;                         /* controllers that are through, or dead */

mtype:holder lease = SOURCE;
byte epoch = 0;                        /* raised by each change of the holder */
byte told = 0;                         /* the epoch in the Begin cookie */
byte mine = 0;                         /* the epoch of the source's last hold: the service knows who held it last */

#define IS_HERE(vm) (vm == RUN || vm == PAUSED || vm == STOPPED)
#define SOURCE_HAS_ALL (IS_HERE(vmS) && status != SPREAD && status != BROKE)
#define CANCELLING(c)  (ctlRec[c] == C_HALT || ctlRec[c] == C_CANCEL || ctlRec[c] == C_ROLLBACK)
#define SOMEBODY_CANCELS (CANCELLING(0) || CANCELLING(CONTROLLERS - 1))
#define DEST_HAS_ALL   ((vmD == READY || vmD == RUN || vmD == PAUSED) && pages)
#define BOTH_HAVE_ALL  (IS_HERE(vmS) && (vmD == READY || vmD == RUN || vmD == PAUSED))
#define ONE_RUNS       (!(vmS == RUN && vmD == RUN) && !(elsewhere && (vmS == RUN || vmD == RUN)))
#define CHECK          assert(ONE_RUNS && (lost || elsewhere || SOURCE_HAS_ALL || DEST_HAS_ALL || BOTH_HAVE_ALL))
#define FAULT          atomic { faults > 0 -> faults-- }

/* ---------- the lease: every change is one atomic step of its service ---------- */

/* A lease lasts long enough from its last renewal for the CPUs to be started, or stopped, within it. */
#define HOLDS(who) (!LEASE || lease == who)

/* to the destination: only if nobody has had it since Begin */
inline leaseMove(ok) {
    atomic {
        if
        :: !LEASE || lease == DESTINATION -> ok = true
        :: LEASE && (lease == SOURCE || lease == NOBODY) && epoch == told -> lease = DESTINATION; epoch++; ok = true
        :: else -> ok = false
        fi
    }
}

/* the source wants to go on: it raises the epoch, so that what the destination was told is stale */
inline leaseKeep(ok) {
    atomic {
        if
        :: !LEASE -> ok = true
        :: LEASE && lease == SOURCE -> if :: epoch == told -> epoch++; mine = epoch :: else fi; ok = true
        :: LEASE && lease == NOBODY && (epoch == mine || BROKEN_NO_EPOCH) -> lease = SOURCE; epoch++; mine = epoch; ok = true
        :: LEASE && lease == DESTINATION && vmD == GONE -> lease = SOURCE; epoch++; mine = epoch; ok = true
        :: else -> ok = false
        fi
    }
}

/* the destination's CPUs have not run, and never will */
inline leaseGiveBack() {
    atomic {
        if
        :: LEASE && moving && lease == DESTINATION -> lease = SOURCE; epoch++; mine = epoch
        :: else -> skip
        fi
    }
}

/* ---------- the records' stages: what may follow on each; the drivers have the same tables (tests/unit/migration.c compares them) ---------- */

#define SRC_MAY(to) (                                                                       \
    (srcRec == S_IDLE       && (to == S_BEGUN || to == S_HALTED)) ||                        \
    (srcRec == S_BEGUN      && (to == S_PERFORMING || to == S_HALTED)) ||                   \
    (srcRec == S_PERFORMING && (to == S_PERFORMED || to == S_HALTED || to == S_RESUMING || to == S_KILLING)) || \
    (srcRec == S_PERFORMED  && (to == S_RESUMING || to == S_KILLING)) ||                    \
    (srcRec == S_HALTED     && (to == S_RESUMING)) ||                                       \
    (srcRec == S_RESUMING   && (to == S_RESUMED || to == S_KILLED)) ||                      \
    (srcRec == S_KILLING    && (to == S_KILLED)))

#define DST_MAY(to) (                                                                       \
    (dstRec == D_IDLE       && (to == D_PREPARED || to == D_KILLING)) ||                    \
    (dstRec == D_PREPARED   && (to == D_STARTING || to == D_KILLING)) ||                    \
    (dstRec == D_STARTING   && (to == D_STARTED || to == D_KILLING)) ||                     \
    (dstRec == D_KILLING    && (to == D_KILLED)))

#define SRC(to) d_step { assert(srcRec == to || SRC_MAY(to)); srcRec = to }
#define DST(to) d_step { assert(dstRec == to || DST_MAY(to)); dstRec = to }

/* ---------- the source, phase by phase; every phase is safe to repeat ---------- */

inline srcBegin(r) {
    if
    :: atomic { srcRec == S_IDLE && vmS != GONE && (!LEASE || lease == SOURCE) -> SRC(S_BEGUN); told = epoch; mine = epoch }; r = DONE
    :: srcRec == S_BEGUN || srcRec == S_PERFORMING || srcRec == S_PERFORMED -> r = DONE
    :: else -> r = FAILED
    fi
}

/*
 * The transfer is the hypervisors' own work (proctype transfer); the source starts it and judges it by the
 * migration's status alone. In post-copy Perform is done as soon as the destination has the state of the CPUs. If the
 * source's hypervisor is gone, and had not taken the guest back before (its last words are read before it counts as
 * gone), only the destination knows whether it has everything: it is asked, by Finish.
 */
inline srcPerform(r) {
    atomic { if :: srcRec == S_BEGUN -> SRC(S_PERFORMING) :: else fi };
    if
    :: srcRec == S_PERFORMING ->
        atomic { if :: srcRec == S_PERFORMING && status == IDLE && vmS != GONE -> status = ACTIVE :: else fi };
        if
        :: status == COMPLETED || status == SPREAD || status == BROKE || (vmS == GONE && status != CANCELLED) ->
            atomic { if :: srcRec == S_PERFORMING -> SRC(S_PERFORMED) :: else fi }; r = DONE
        :: status == CANCELLED ->
            atomic { if :: srcRec == S_PERFORMING -> SRC(S_RESUMING) :: else fi };
            srcSettle(r);
            if :: r == DONE -> r = FAILED :: else fi
        :: BROKEN_CPUS_STAND && vmS == STOPPED -> SRC(S_PERFORMED); r = DONE
        :: status == ACTIVE || (status == IDLE && vmS != GONE) -> r = AGAIN
        fi
    :: srcRec == S_PERFORMED -> r = DONE
    :: else -> r = FAILED
    fi
}

/*
 * The way back begins here, so that nothing more is sent, by whatever controller: a transfer under way is cancelled and
 * its end awaited. FAILED: there is no way back, the guest has been given away.
 */
inline srcHalt(r) {
    atomic {
        if
        :: srcRec == S_IDLE || srcRec == S_BEGUN -> SRC(S_HALTED)
        :: srcRec == S_PERFORMING && (status == IDLE || status == CANCELLED) -> SRC(S_HALTED)
        :: srcRec == S_PERFORMING && (status == COMPLETED || vmS == GONE) -> SRC(S_PERFORMED)
        :: else -> skip
        fi;
        if
        :: srcRec == S_PERFORMING && status == ACTIVE -> r = AGAIN
        :: (srcRec == S_PERFORMING || srcRec == S_PERFORMED) && (status == SPREAD || status == BROKE || vmS == GONE) -> r = FAILED
        :: else -> r = DONE
        fi
    }
}

/* a transfer that is still on is waited for */
inline srcConfirm(started, r) {
    atomic {
        if
        :: srcRec == S_RESUMED || srcRec == S_KILLED || srcRec == S_RESUMING || srcRec == S_KILLING -> skip
        :: else ->
            if
            :: started && (status == COMPLETED || vmS == GONE || BROKEN_CONFIRM_EARLY) -> SRC(S_KILLING)
            :: started && status == BROKE -> status = SPREAD                  /* recovered */
            :: !started && (status == IDLE || status == CANCELLED || status == COMPLETED || vmS == GONE) -> SRC(S_RESUMING)
            :: !started && (status == SPREAD || status == BROKE) -> SRC(S_KILLING)
            :: else -> skip
            fi
        fi
    };
    srcSettle(r)
}

/* what the record says is carried out: by the call itself, by a repeated one, or after a crash */
inline srcSettle(r) {
    if
    :: srcRec == S_RESUMING ->
        if
        :: FAULT -> r = AGAIN
        :: true ->
            leaseKeep(ok);
            if
            :: atomic { ok && HOLDS(SOURCE) -> if :: vmS != GONE -> vmS = (BROKEN_PRIOR -> RUN : prior) :: else fi; SRC(S_RESUMED) };
                r = DONE
            :: ok && !HOLDS(SOURCE) -> r = AGAIN
            :: !ok -> atomic { vmS = GONE; SRC(S_KILLED) }; r = DONE      /* somebody has it, or has had it */
            fi;
            CHECK
        fi
    :: srcRec == S_KILLING ->
        if
        :: FAULT -> r = AGAIN
        :: true -> atomic { vmS = GONE; SRC(S_KILLED) }; r = DONE; CHECK
        fi
    :: srcRec == S_RESUMED || srcRec == S_KILLED -> r = DONE
    :: else -> r = AGAIN
    fi
}

/*
 * With a lease the source needs nobody to learn the outcome; in post-copy it has nothing to go on with. If the destination
 * has the lease, and its hypervisor has died, only its record says whether the guest had run by then: it is asked.
 */
inline srcSettleByLease() {
    atomic {
        if
        :: srcRec == S_PERFORMED && status == COMPLETED && lease == DESTINATION && (vmD != GONE || BROKEN_DEAD_HOLDER) -> SRC(S_KILLING)
        :: srcRec == S_PERFORMED && status == COMPLETED && vmS != GONE && lease == SOURCE ->
            if :: epoch == told -> epoch++; mine = epoch :: else fi;
            SRC(S_RESUMING)
        :: else -> skip
        fi
    }
}

/* ---------- the destination ---------- */

inline dstPrepare(r) {
    atomic {
        if
        :: dstRec == D_IDLE -> DST(D_PREPARED); vmD = INCOMING; r = DONE
        :: dstRec == D_PREPARED -> r = (vmD == GONE -> FAILED : DONE)
        :: dstRec == D_STARTING || dstRec == D_STARTED -> r = DONE
        :: else -> r = FAILED
        fi
    }
}

/* the intent is on record before the CPUs run */
inline dstFinish(r) {
    atomic {
        if
        :: dstRec == D_PREPARED && vmD == READY -> DST(D_STARTING); moving = true
        :: dstRec == D_PREPARED && vmD != READY -> DST(D_KILLING)
        :: dstRec == D_IDLE -> DST(D_KILLING)
        :: else -> skip
        fi
    };
    dstSettle(r)
}

/* in post-copy it is too late: the source has given the guest away */
inline dstCancel(r) {
    atomic {
        if
        :: dstRec == D_PREPARED && vmD == READY && !pages -> DST(D_STARTING); moving = true
        :: dstRec == D_PREPARED || dstRec == D_IDLE -> DST(D_KILLING)
        :: else -> skip
        fi
    };
    dstSettle(r)
}

/* the copy goes first, then what it held */
inline dstKill(r) {
    if
    :: FAULT -> r = AGAIN
    :: true -> atomic { if :: dstRec == D_KILLING -> vmD = GONE :: else fi }; CHECK;
        if
        :: FAULT -> r = AGAIN
        :: true -> leaseGiveBack();
            atomic { if :: dstRec == D_KILLING -> DST(D_KILLED) :: else fi }; r = FAILED; CHECK
        fi
    fi
}

inline dstSettle(r) {
    if
    :: dstRec == D_STARTING ->
        if
        :: FAULT -> r = AGAIN
        :: true ->
            leaseMove(ok);
            atomic {
                if
                :: dstRec == D_STARTED -> r = DONE
                :: dstRec == D_STARTING && (vmD == GONE || !ok) -> DST(D_KILLING); r = AGAIN
                :: dstRec == D_KILLED || dstRec == D_KILLING -> r = AGAIN
                :: else -> vmD = (BROKEN_PRIOR -> RUN : prior); DST(D_STARTED); r = DONE
                fi
            };
            CHECK;
            if :: dstRec == D_KILLING -> dstKill(r) :: dstRec == D_KILLED -> r = FAILED :: else fi
        fi
    :: dstRec == D_KILLING -> dstKill(r)
    :: dstRec == D_STARTED -> r = DONE
    :: dstRec == D_KILLED -> r = FAILED
    :: else -> r = AGAIN
    fi
}

/* ---------- the controllers ---------- */

/* a call over the wire: lost on the way, carried out, or carried out with its reply lost */
#define CALL(action, r)                         \
    if                                          \
    :: FAULT -> r = AGAIN                       \
    :: action; if :: true :: FAULT -> r = AGAIN fi \
    fi;                                         \
    CHECK

#define MAY_ABORT(c) (ctlRec[c] == C_BEGIN || ctlRec[c] == C_PREPARE || ctlRec[c] == C_PERFORM || ctlRec[c] == C_FINISH)

/* the source's CPUs were stopped by its watchdog: what becomes of it then is the guest's on_lockfailure */
#define WITHOUT_LEASE (lease == NOBODY && vmS == STOPPED && vmD != prior)

proctype controller(byte me) {
    mtype:answer r;
    bool ok;

    if
    :: me == 0
    :: me != 0 -> ctlRec[me] = ctlRec[0]       /* from its record, whenever that was taken */
    fi;
    do
    :: ctlRec[me] == C_BEGIN -> CALL(srcBegin(r), r);
        if :: r == DONE -> ctlRec[me] = C_PREPARE :: r == FAILED -> ctlRec[me] = C_HALT :: else fi
    :: ctlRec[me] == C_PREPARE -> CALL(dstPrepare(r), r);
        if :: r == DONE -> ctlRec[me] = C_PERFORM :: r == FAILED -> ctlRec[me] = C_HALT :: else fi
    :: ctlRec[me] == C_PERFORM -> CALL(srcPerform(r), r);
        if :: r == DONE -> ctlRec[me] = C_FINISH :: r == FAILED -> ctlRec[me] = C_HALT :: else fi
    :: ctlRec[me] == C_FINISH -> CALL(dstFinish(r), r);
        if
        :: r == DONE -> ctlRec[me] = C_CONFIRM
        :: r == FAILED || BROKEN_UNKNOWN_IS_NO -> ctlRec[me] = C_ROLLBACK
        :: r == AGAIN && LEASE -> srcSettleByLease();
            if
            :: srcRec == S_KILLING -> ctlRec[me] = C_CONFIRM
            :: srcRec == S_RESUMING -> ctlRec[me] = C_ROLLBACK
            :: else
            fi
        :: else                       /* ask again: the destination has the outcome on record */
        fi
    :: ctlRec[me] == C_HALT -> CALL(srcHalt(r), r);
        if :: r == DONE -> ctlRec[me] = C_CANCEL :: r == FAILED -> ctlRec[me] = C_FINISH :: else fi
    :: ctlRec[me] == C_CANCEL -> CALL(dstCancel(r), r);
        if
        :: r == FAILED -> ctlRec[me] = C_ROLLBACK
        :: r == DONE -> ctlRec[me] = C_CONFIRM       /* it had started: the cancel came too late */
        :: r == AGAIN && LEASE -> ctlRec[me] = C_ROLLBACK    /* which first makes what the destination was told stale */
        :: else
        fi
    :: ctlRec[me] == C_CONFIRM -> CALL(srcConfirm(true, r), r);
        if :: r == DONE -> ctlRec[me] = C_OVER :: else fi
    :: ctlRec[me] == C_ROLLBACK -> CALL(srcConfirm(false, r), r);
        if :: r == DONE -> ctlRec[me] = C_OVER :: else fi
    :: MAY_ABORT(me) -> ctlRec[me] = C_HALT
    :: atomic { CONTROLLERS > 1 && me == 0 && faults > 0 && ctlRec[0] != C_OVER -> faults--; goto dead }
    :: ctlRec[me] == C_OVER -> break
    od;
    /* a source that settled by the lease leaves a destination to clean up: its epoch is stale */
    do
    :: vmD == INCOMING || vmD == READY -> CALL(dstCancel(r), r)
    :: else -> break
    od;
dead:
    atomic {
        over++;
        if
        :: over == CONTROLLERS && ctlRec[CONTROLLERS - 1] == C_OVER ->
            assert(vmD == NONE || vmD == GONE || vmD == prior);
            assert(lost || elsewhere || (vmS == prior && vmD != prior) || (vmS == GONE && vmD == prior) || WITHOUT_LEASE);
            assert(!elsewhere || vmD == NONE || vmD == GONE)
        :: else
        fi
    }
}

/* ---------- what happens by itself ---------- */

#define EVERYBODY_OVER (over == CONTROLLERS)
#define NOT_DECIDED    (srcRec == S_BEGUN || srcRec == S_PERFORMING || srcRec == S_PERFORMED)

/* two hypervisors at work, whatever becomes of the sides that manage them */
proctype transfer() {
    if :: status == ACTIVE :: EVERYBODY_OVER -> goto out fi;
    if
    :: vmS == GONE
    :: atomic { vmS != GONE -> status = CANCELLED }                           /* broke while the guest ran */
    :: atomic { vmS != GONE -> vmS = STOPPED }; CHECK;                        /* switchover */
        if
        :: atomic { vmS != GONE && vmD == INCOMING -> vmD = READY; pages = true }; CHECK;
            if
            :: atomic { vmS != GONE -> status = COMPLETED }                   /* acknowledged */
            :: atomic { faults > 0 && vmS != GONE -> faults--; status = CANCELLED;        /* the acknowledgement lost */
                        if :: !LEASE || lease == SOURCE -> vmS = prior :: else fi }
            :: vmS == GONE
            fi
        :: atomic { vmS != GONE && vmD != INCOMING -> status = CANCELLED;
                    if :: !LEASE || lease == SOURCE -> vmS = prior :: else fi }
        :: vmS == GONE
        fi;
        CHECK
    :: atomic { POSTCOPY && vmS != GONE && vmD == INCOMING -> vmS = STOPPED; vmD = READY; status = SPREAD }; CHECK;
        do
        :: atomic { status == SPREAD && vmD != GONE && vmS != GONE -> pages = true; status = COMPLETED }; CHECK; break
        :: atomic { status == SPREAD && faults > 0 -> faults--; status = BROKE }
        :: atomic { vmD == GONE || vmS == GONE -> if :: status == SPREAD -> status = BROKE :: else fi }; break
        :: EVERYBODY_OVER -> break
        od
    fi;
out: skip
}

/* a destination that hears nothing gives up, but only while its copy is incomplete, and cannot become the guest behind its back */
proctype expiry() {
    if
    :: atomic { dstRec == D_PREPARED && !POSTCOPY && (vmD == INCOMING || (BROKEN_EXPIRY && vmD == READY)) -> DST(D_KILLING) };
        atomic { if :: dstRec == D_KILLING -> vmD = GONE; DST(D_KILLED) :: else fi }; CHECK
    :: EVERYBODY_OVER
    fi
}

/* a hypervisor dies, or its host loses power; a record stays */
proctype power() {
    do
    :: atomic { faults > 0 && (vmD == INCOMING || vmD == READY) && (dstRec == D_PREPARED || dstRec == D_STARTING) -> faults--;
                if :: status == SPREAD || status == BROKE || vmS == GONE -> lost = true :: else fi;
                vmD = GONE }; CHECK
    :: atomic { faults > 0 && vmS != GONE && NOT_DECIDED && vmD != RUN && vmD != PAUSED -> faults--;
                if :: DEST_HAS_ALL && status != CANCELLED && dstRec == D_PREPARED && !SOMEBODY_CANCELS -> skip :: else -> lost = true fi;
                vmS = GONE }; CHECK
    :: EVERYBODY_OVER -> break
    od
}

/* the lease service drops the source, whose CPUs its watchdog has stopped by then; somebody else takes it, and gives it back */
proctype thief() {
    if
    :: atomic { LEASE && lease == SOURCE && faults > 0 -> faults--;
                if :: vmS == RUN -> vmS = STOPPED :: else fi;
                lease = NOBODY }; CHECK;
        if
        :: atomic { lease == NOBODY -> lease = THIRD; epoch++; elsewhere = true; vmT = RUN }; CHECK;
            if
            :: atomic { vmT = GONE; lease = NOBODY }; CHECK
            :: EVERYBODY_OVER
            fi
        :: EVERYBODY_OVER
        fi
    /* who holds it has no hypervisor that sits on it */
    :: atomic { LEASE && DEAD_HOLDERS && ((lease == SOURCE && vmS == GONE) || (lease == DESTINATION && (vmD == GONE || BROKEN_SEAT))) ->
                lease = THIRD; epoch++; elsewhere = true; vmT = RUN }; CHECK
    :: EVERYBODY_OVER
    fi
}

init {
    atomic {
        if :: prior = RUN :: prior = PAUSED fi;
        ctlRec[0] = C_BEGIN; ctlRec[CONTROLLERS - 1] = C_BEGIN;
        vmS = prior;
        run controller(0);
        if :: CONTROLLERS > 1 -> run controller(1) :: else fi;
        run transfer(); run expiry(); run power(); run thief()
    }
}
