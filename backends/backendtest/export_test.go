package backendtest

import (
	"context"
	"fmt"
	"runtime"
)

// An Outcome is the result of one case.
type Outcome struct {
	Case    string
	Skipped string // the reason; "" if it ran
	Failed  string // the message; "" if it passed
}

// Outcomes runs all cases without a *testing.T, so that a case may fail.
func Outcomes(ctx context.Context, open func() *Harness) []Outcome {
	var all []Outcome
	for _, c := range cases {
		r := &recorder{Outcome{Case: c.name}}
		done := make(chan struct{})
		go func() { // Fatalf and Skip end it with Goexit
			defer close(done)
			c.runOn(ctx, r, open())
		}()
		<-done
		all = append(all, r.Outcome)
	}
	return all
}

type recorder struct{ Outcome }

func (r *recorder) Helper() {}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Failed = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Skip(args ...any) {
	r.Skipped = fmt.Sprint(args...)
	runtime.Goexit()
}
