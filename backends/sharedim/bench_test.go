package sharedim_test

import (
	"context"
	"testing"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/backends/sharedim"
	"github.com/imreuse/imreuse/engine"
)

// BenchmarkCycle measures a kit login and logout, IM included, over mockim,
// with and without a seat in between. Compare them with
//
//	go test ./backends/sharedim -run '^$' -bench Cycle -count 10
func BenchmarkCycle(b *testing.B) {
	for _, row := range []struct {
		name string
		im   func(d *mockim.Device) engine.IM
	}{
		{"bare", func(d *mockim.Device) engine.IM { return d }},
		{"seat", func(d *mockim.Device) engine.IM { return sharedim.New(d).Seat() }},
	} {
		b.Run(row.name, func(b *testing.B) {
			cloud := newCloud()
			e, err := engine.New(engine.Join(row.im(cloud.Device()), cloud.Device()), appKey, nil)
			if err != nil {
				b.Fatal(err)
			}
			defer e.Close()
			b.ReportAllocs()
			for b.Loop() {
				if err := e.LoginKit(context.Background(), meetingAlice); err != nil {
					b.Fatal(err)
				}
				if err := e.LogoutKit(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
