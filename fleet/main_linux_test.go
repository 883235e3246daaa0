package fleet_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if role := os.Getenv("FLEET_ROLE"); role != "" {
		runRole(role)
		return
	}
	goleak.VerifyTestMain(m)
}
