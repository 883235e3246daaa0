//go:build !linux

package fleet_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func cpuTime() time.Duration { return 0 }
