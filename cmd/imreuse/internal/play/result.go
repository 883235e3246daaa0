package play

import (
	"cmp"
	"strings"

	"github.com/imreuse/imreuse/engine"
)

// A Text is in both languages of the page.
type Text struct {
	EN string `json:"en"`
	ZH string `json:"zh"`
}

// What became of an act.
const (
	done    = "done"
	failed  = "failed"
	lost    = "lost"    // it ended a login
	nothing = "nothing" // there was nothing to do
)

// A Result is what the page shows of an act that has ended.
type Result struct {
	ID       int         `json:"id"`
	Act      string      `json:"act"`
	Details  act         `json:"details"` // the fields of the request
	Outcome  string      `json:"outcome"`
	Reused   bool        `json:"reused"`             // the kit is logged in over the app's IM login
	Code     engine.Code `json:"code,omitempty"`     // 0: the failure has none, or there is none
	Sentence string      `json:"sentence,omitempty"` // what the code means
	Error    string      `json:"error,omitempty"`    // as a program gets it
	Detail   string      `json:"detail,omitempty"`   // what it says after the sentence
	Remedy   *Text       `json:"remedy,omitempty"`
	Note     *Text       `json:"note,omitempty"`
	Vendor   *Vendor     `json:"vendor,omitempty"`
}

// facts are what there is to know about an act that has ended.
type facts struct {
	act
	outcome
	mode          engine.Mode // before the act
	before, after engine.Status
}

// code returns the Code of the failure or the loss, or 0.
func (f *facts) code() engine.Code { return engine.CodeOf(cmp.Or(f.err, f.loss)) }

func (f *facts) result() Result {
	r := Result{Details: f.act, Outcome: done, Note: f.note, Reused: f.after.Reused(), Code: f.code(), Vendor: f.vendor()}
	switch {
	case f.err != nil:
		r.Outcome, r.Error = failed, f.err.Error()
	case f.loss != nil:
		r.Outcome, r.Error = lost, f.loss.Error()
	case f.idle:
		r.Outcome = nothing
	}
	r.Detail = r.Error
	if r.Code != 0 {
		r.Sentence = r.Code.Error()
		_, r.Detail, _ = strings.Cut(r.Error, r.Sentence+": ")
	}
	if remedy := r.Code.Remedy(); remedy != "" {
		r.Remedy = &Text{remedy, r.Code.RemedyIn("zh")}
	}
	return r
}

// The notes on acts with an effect that cannot be seen, or not yet.
var (
	nobodyLoggedIn = Text{"Nobody is logged in to IM on this device, so there is nothing to do.",
		"本设备上没有登录 IM，因此什么也没有发生。"}
	kitLoggedOut = Text{"The kit is not logged in, so there is no session whose token could run out.",
		"组件未登录，没有会因 token 过期而受影响的会话。"}
	foundLater = Text{"The engine did not see this login. It finds it the next time an operation looks for one.",
		"引擎没有看到这次登录；下一次操作检查时才会发现。"}
	engineUnaware = Text{"The engine had not found this login yet, so nothing changed for it.",
		"引擎尚未发现这次登录，因此它的状态没有变化。"}
	noticedLater = Text{"The login holds. IM notices that the token has run out when the link goes down and comes back.",
		"登录仍然有效；IM 断线重连时才会发现 token 已过期。"}
	nothingHangs = Text{"No call hangs.", "没有被挂起的调用。"}
	appliedLater = Text{"The engine is still busy with this. The story shows how it ends.",
		"引擎仍在处理，结果会出现在下方的记录中。"}
)
