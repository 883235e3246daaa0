package fleet_test

import (
	"syscall"
	"testing"
	"time"
)

// The rows of the table for which a process has to stop or to die. The workers
// are processes, and so is the IM cloud, whose log judges them.

// slack is what the issue of the table adds to the TTL.
const slack = 5 * time.Second

func TestProcessThatIsKilled(t *testing.T) {
	t.Parallel()
	nats, cloud := newNATS(t), startCloud(t, 1)
	first := cloud.startWorker("first", shortTTL, nats)
	first.say("forward")
	cloud.untilAllHeld(patience, first)
	second := cloud.startWorker("second", shortTTL, nats)
	second.say("forward")
	first.kill()
	cloud.note("killed", first)
	cloud.untilAllHeld(shortTTL+slack, second)
	cloud.wantOneHolder()
}

func TestProcessThatIsStoppedAndContinued(t *testing.T) {
	t.Parallel()
	nats, cloud := newNATS(t), startCloud(t, 1)
	first := cloud.startWorker("first", shortTTL, nats)
	first.say("forward")
	cloud.untilAllHeld(patience, first)
	until(t, "the worker knows it", func() bool { return first.count() == 1 })
	second := cloud.startWorker("second", shortTTL, nats)
	second.say("forward")
	first.stop()
	cloud.note("stopped", first)
	cloud.untilAllHeld(shortTTL+slack, second)
	cloud.note("continued", first)
	first.signal(syscall.SIGCONT)
	until(t, "its login has ended", func() bool { return first.count() == 0 })
	second.leave() // a clean hand-over: the first one waits for it
	cloud.untilAllHeld(patience, first)
	cloud.wantOneHolder()
}
