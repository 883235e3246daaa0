package play

import "github.com/imreuse/imreuse/engine"

// A Vendor is what the vendor's kits would have given for the same act.
type Vendor struct {
	Platforms []Verdict  `json:"platforms,omitempty"` // none: the kits have no part in the act
	Said      []Sentence `json:"said,omitempty"`
	Differs   *Contrast  `json:"differs,omitempty"`
}

// A Verdict is what one generation of the kits would have given.
type Verdict struct {
	Platform int    `json:"platform"` // the engine.Profile
	Outcome  string `json:"outcome"`
	Number   int    `json:"number,omitempty"` // if the outcome is "number"
}

// The outcomes of a Verdict.
const (
	vendorSuccess  = "success"
	vendorNumber   = "number"
	vendorNoNumber = "no_number" // it fails, and has no number of its own for this
	vendorAbsent   = "absent"    // the platform has nothing like this act
)

// platforms names each engine.Profile as docs/vendor/kits.md does.
var platforms = []Text{
	engine.ProfileMeeting:  {"NEMeetingKit 3.2 and later: Android, iOS, Web, H5, Electron", "NEMeetingKit 3.2 及以上：Android、iOS、Web、H5、Electron"},
	engine.ProfileRoom:     {"NERoom, all platforms", "NERoom 全平台"},
	engine.ProfileDesktop:  {"NEMeetingKit for Windows, macOS, Linux", "NEMeetingKit 桌面端：Windows、macOS、Linux"},
	engine.ProfileRoomKit1: {"RoomKit 1.x", "RoomKit 1.x"},
	engine.ProfileMeeting1: {"Meeting SDK 1.x, 2.x", "Meeting SDK 1.x、2.x"},
}

func (f *facts) vendor() *Vendor {
	if f.idle {
		return nil
	}
	v := &Vendor{Platforms: f.platforms()}
	for _, r := range rules {
		if !r.when(f) {
			continue
		}
		if r.says != "" && len(v.Said) < 2 {
			v.Said = append(v.Said, sentences[r.says])
		}
		if r.differs != nil && v.Differs == nil {
			v.Differs = r.differs
		}
	}
	if v.Platforms == nil && v.Said == nil && v.Differs == nil {
		return nil
	}
	return v
}

// platforms returns the verdicts for an act on the kit, and for a loss of the
// kit's login. The other acts are calls of the IM SDK, or the lab's own.
func (f *facts) platforms() []Verdict {
	if !f.onKit() && !(f.loss != nil && f.before.State == engine.KitLoggedIn) {
		return nil
	}
	list := make([]Verdict, len(platforms))
	for p := range list {
		list[p] = f.verdict(engine.Profile(p))
	}
	return list
}

func (f *facts) onKit() bool {
	switch f.act.(type) {
	case *loginKit, *loginAnonymous, *logoutKit:
		return true
	}
	return false
}

func (f *facts) verdict(p engine.Profile) Verdict {
	v := Verdict{Platform: int(p), Outcome: vendorSuccess}
	number, numbered := f.code().In(p)
	switch {
	case numbered:
		v.Outcome, v.Number = vendorNumber, number
	case isAct[*loginAnonymous](f) && p == engine.ProfileRoom: // docs/vendor/kits.md#who-offers-reuse-and-how
		v.Outcome = vendorAbsent
	case f.after.Reused() && p == engine.ProfileDesktop: // the same page
		v.Outcome = vendorAbsent
	case f.err != nil || f.loss != nil:
		v.Outcome = vendorNoNumber
	}
	return v
}

// A rule says when a sentence of the vendor's, or a difference from its web kit,
// is about what happened.
type rule struct {
	when    func(*facts) bool
	says    string // the key of a sentence
	differs *Contrast
}

// rules is the one table from an act and its outcome to what is known of the
// vendor. The first two sentences and the first contrast are shown.
var rules = []rule{
	{when: hasCode(engine.ErrIMNotLoggedIn), says: "G27"},
	{when: hasCode(engine.ErrIMAccountMismatch), says: "G28", differs: &comparedAccounts},
	{when: hasCode(engine.ErrReuseNoAnonymous), says: "G26", differs: &guestSuccess},
	{when: both(hasCode(engine.ErrIMInUse), isKitLogin), says: "G04"},
	{when: both(hasCode(engine.ErrIMInUse), isAct[*loginIM]), says: "sdk.other"},
	{when: hasCode(engine.ErrKitInUse), differs: &replacedUser},
	{when: hasCode(engine.ErrInterrupted), differs: &overtaking},
	{when: hasCode(engine.ErrNotEnabled), says: "G06"},
	{when: both(hasCode(engine.ErrTokenRejected), isIMLogin), says: "sdk.refused"},
	{when: both(hasCode(engine.ErrTokenRejected), isAct[*loginKit]), says: "kits.expiry", differs: &refusedTokens},
	{when: both(hasCode(engine.ErrTokenExpired), isAct[*loginKit]), says: "kits.expiry"},
	{when: both(hasCode(engine.ErrAccountBanned), isIMLogin), says: "sdk.banned"},

	{when: both(isAct[*loginKit], succeeded, wasLoggedInToKit), differs: &secondLogin},
	{when: both(isAct[*loginKit], succeeded, reused), says: "G24"},
	{when: both(isAct[*loginKit], succeeded, notReused), says: "G22"},
	{when: both(isAct[*loginKit], succeeded, notReused, began(engine.Uninitialized)), says: "G21"},
	{when: both(isAct[*loginKit], succeeded, inMode(engine.AutoDetect)), says: "G29"},
	{when: both(isAct[*loginAnonymous], succeeded), says: "G23"},
	{when: both(isAct[*logoutKit], succeeded, wasLoggedInToKit), says: "kits.logout"},

	{when: both(isIMInit, succeeded, inMode(engine.ReuseIM)), says: "G13"},
	{when: both(isIMInit, succeeded, inMode(engine.AutoDetect)), says: "G16"},
	{when: both(isIMInit, succeeded, inMode(engine.AutoLogin)), says: "G21"},
	{when: both(isIMLogin, succeeded, inMode(engine.AutoLogin)), says: "G04"},
	{when: both(isIMLogin, succeeded), says: "G18"},
	{when: both(isIMLogout, wasReused), says: "kits.unknown", differs: &disconnected},

	{when: kicked(engine.KickedByClient), says: "sdk.kick1"},
	{when: kicked(engine.KickedByServer), says: "sdk.kick2"},
	{when: kicked(engine.KickedByOther), says: "sdk.kick3"},
	{when: kicked(engine.KickedQuietly), says: "sdk.kick4"},
	{when: both(isAct[*kick], wasReused), says: "kits.unknown", differs: &disconnected},
	{when: both(isAct[*link], wasReused), differs: &silentLink},
	{when: isAct[*link], says: "sdk.dropped", differs: &offline},
	{when: both(isAct[*expire], hasCode(engine.ErrTokenExpired)), says: "kits.expiry"},
	{when: both(isAct[*expire], hasCode(engine.ErrTokenExpired), func(f *facts) bool { return !wasReused(f) }), differs: &leftover},
	{when: both(expiresKit, hasCode(0), wasLoggedInToKit), says: "kits.renewal"},
	{when: isAct[*fetchTokens], says: "G10"},
	{when: isAct[*createKitAccount], says: "G09"},

	{when: setsMode(engine.ReuseIM), says: "G15"},
	{when: setsMode(engine.AutoLogin), says: "G22"},
	{when: setsMode(engine.AutoDetect), says: "G29"},
	{when: isAct[*newSetup], differs: &secondInitialize},
}

// The conditions of the rules.

func both(conditions ...func(*facts) bool) func(*facts) bool {
	return func(f *facts) bool {
		for _, holds := range conditions {
			if !holds(f) {
				return false
			}
		}
		return true
	}
}

func isAct[A act](f *facts) bool {
	_, is := f.act.(A)
	return is
}

func isKitLogin(f *facts) bool { return isAct[*loginKit](f) || isAct[*loginAnonymous](f) }
func isIMInit(f *facts) bool   { return isAct[*hostInit](f) || isAct[*initIM](f) }
func isIMLogin(f *facts) bool  { return isAct[*hostLogin](f) || isAct[*loginIM](f) }
func isIMLogout(f *facts) bool { return isAct[*hostLogout](f) || isAct[*logoutIM](f) }

func hasCode(code engine.Code) func(*facts) bool {
	return func(f *facts) bool { return f.code() == code }
}

func inMode(m engine.Mode) func(*facts) bool {
	return func(f *facts) bool { return f.mode == m }
}

func began(s engine.State) func(*facts) bool {
	return func(f *facts) bool { return f.before.State == s }
}

func succeeded(f *facts) bool        { return f.err == nil }
func reused(f *facts) bool           { return f.after.Reused() }
func notReused(f *facts) bool        { return !f.after.Reused() }
func wasReused(f *facts) bool        { return f.before.Reused() }
func wasLoggedInToKit(f *facts) bool { return f.before.State == engine.KitLoggedIn }

func kicked(r engine.KickReason) func(*facts) bool {
	return func(f *facts) bool {
		k, is := f.act.(*kick)
		return is && k.Reason == r
	}
}

func expiresKit(f *facts) bool {
	a, is := f.act.(*expire)
	return is && a.Token == "kit"
}

func setsMode(m engine.Mode) func(*facts) bool {
	return func(f *facts) bool {
		switch a := f.act.(type) {
		case *newSetup:
			return a.Mode != nil && *a.Mode == m
		case *reset:
			return a.Mode != nil && *a.Mode == m
		}
		return false
	}
}
