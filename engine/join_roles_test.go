package engine_test

import (
	"testing"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

// Join is a KitRenewer exactly where its kit is, and an IMAdopter exactly where
// its IM is.
func TestJoinRoles(t *testing.T) {
	renewing, plain := newService(), newFake()
	for _, test := range []struct {
		im             engine.IM
		kit            engine.Kit
		adopts, renews bool
	}{
		{plain, plain, false, false},
		{adoptingFake{plain}, plain, true, false},
		{plain, renewing, false, true},
		{adoptingFake{plain}, renewing, true, true},
		{renewing, plain, false, false},
		{mockim.NewService(mockim.ServiceOptions{}).Device(), adoptingFake{plain}, true, false},
	} {
		j := engine.Join(test.im, test.kit)
		if _, ok := j.(engine.IMAdopter); ok != test.adopts {
			t.Errorf("%T over %T: an IMAdopter: %v", test.kit, test.im, ok)
		}
		r, ok := j.(engine.KitRenewer)
		if ok != test.renews {
			t.Errorf("%T over %T: a KitRenewer: %v", test.kit, test.im, ok)
		}
		if ok {
			renewing.called()
			_ = r.RenewKit(t.Context(), renewWith("k1"))
			renewing.wantCalls(t, "RenewKit k1")
		}
	}
}
