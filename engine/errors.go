package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// This file has the engine's errors: the Codes with their numbers, texts and
// remedies in one table, and the types that carry more than a Code.

// A Code is a kind of failure that a host may want to tell apart. Like
// syscall.Errno, it is an error itself: test for one with errors.Is(err,
// ErrIMNotLoggedIn), or get it with [CodeOf]. Codes are never renumbered.
type Code int

// The first three Codes are the vendor's, with its numbers
// (docs/vendor/guides.md, G26 to G28). The others are ours. They count down
// from -20001, away from the vendor's numbers.
const (
	ErrIMNotLoggedIn     Code = 100004
	ErrIMAccountMismatch Code = 100005
	ErrReuseNoAnonymous  Code = 112001

	ErrClosed           Code = -20001
	ErrState            Code = -20002
	ErrArgument         Code = -20003
	ErrIMInUse          Code = -20004
	ErrKitInUse         Code = -20005
	ErrAppKeyMismatch   Code = -20006
	ErrTokenRejected    Code = -20007
	ErrTokenExpired     Code = -20008
	ErrAccountBanned    Code = -20009
	ErrNoIMAccount      Code = -20010
	ErrNotEnabled       Code = -20011
	ErrKicked           Code = -20012
	ErrIMLoggedOut      Code = -20013
	ErrUnavailable      Code = -20014
	ErrInterrupted      Code = -20015
	ErrSecondaryProcess Code = -20016
)

// A Profile is a generation of the vendor's kits. Each numbers the same
// failures differently (docs/vendor/kits.md#error-numbers-by-generation).
type Profile uint8

const (
	ProfileMeeting  Profile = iota // NEMeetingKit 3.2 and later: Android, iOS, Web, H5, Electron
	ProfileRoom                    // NERoom, all platforms
	ProfileDesktop                 // NEMeetingKit for Windows, macOS and Linux
	ProfileRoomKit1                // RoomKit 1.x
	ProfileMeeting1                // Meeting SDK 1.x and 2.x
)

// codes is the one table of failures. numbers has the number in each Profile; 0
// means that the Profile has no number for the failure. The numbers are from
// docs/vendor/kits.md#error-numbers-by-generation and
// docs/vendor/kits.md#other-login-numbers.
var codes = []struct {
	code         Code
	numbers      [5]int
	text, remedy string
	chinese      string // the remedy in Chinese
}{
	{ErrIMNotLoggedIn, [5]int{100004, 100004, 1801, -6, -3},
		"IM reuse is on and the host has not logged IM in",
		"Log IM in with the bound account (Engine.LoginIM, or the host's own IM client) before the kit login.",
		"请先用绑定的 IM 账号登录 IM（Engine.LoginIM，或应用自己的 IM 客户端），再登录组件。"},
	{ErrIMAccountMismatch, [5]int{100005, 100005, 1802, -7, -5},
		"the IM account that is logged in is not the one the kit account is bound to",
		"Create the kit account again with the imAccid and imToken of the IM account that is logged in, or log IM out and log in with the bound account.",
		"用当前 IM 账号的 imAccid 和 imToken 重新创建组件账号；或登出当前 IM 账号，改用绑定的账号登录。"},
	{ErrReuseNoAnonymous, [5]int{112001, 0, 112001, -8, 0},
		"IM reuse does not support anonymous login",
		"Log in with a kit account, or switch IM reuse off (set Options.Mode to AutoLogin; in AutoDetect, log the host's IM out).",
		"使用组件账号登录；或关闭 IM 复用（Options.Mode 设为 AutoLogin；在 AutoDetect 下登出应用的 IM）。"},

	{ErrClosed, [5]int{},
		"the engine is closed",
		"Make a new engine with New.",
		"用 New 创建新的引擎。"},
	{ErrState, [5]int{},
		"an earlier step is missing",
		"Do the step that the message names, then try again.",
		"先完成错误信息中指出的步骤，再重试。"},
	{ErrArgument, [5]int{-5, 0, -5, 0, -5},
		"bad argument",
		"Correct the argument that the message names. Nothing was sent and nothing changed.",
		"修正错误信息中指出的参数；没有发送任何请求，也没有任何改变。"},
	{ErrIMInUse, [5]int{},
		"IM is already logged in",
		"Log IM out first (call LogoutIM, or LogoutKit if the engine logged IM in), or reuse its login (set Options.Mode to ReuseIM or AutoDetect).",
		"先登出 IM（LogoutIM；由引擎登录的，用 LogoutKit），或复用该登录（Options.Mode 设为 ReuseIM 或 AutoDetect）。"},
	{ErrKitInUse, [5]int{},
		"the kit is already logged in with another account",
		"Call LogoutKit first.",
		"先调用 LogoutKit。"},
	{ErrAppKeyMismatch, [5]int{},
		"IM and the kit use different AppKeys",
		"Use the same AppKey for IM and the kit. An account exists only in the app that it was created in.",
		"IM 和组件须使用同一个 AppKey：账号只在创建它的应用中有效。"},
	{ErrTokenRejected, [5]int{402, 1027, 2006, 0, -2},
		"the service rejected the account or its token",
		"Fetch the current token from your app server. The IM token and the kit token are different secrets; do not mix them up.",
		"从应用服务器获取当前有效的 token；注意 IM token 与组件 token 是两个不同的密钥。"},
	{ErrTokenExpired, [5]int{402, 1026, 2006, 0, 0},
		"the token has expired",
		"Fetch a new token from your app server and log in again.",
		"从应用服务器获取新的 token，然后重新登录。"},
	{ErrAccountBanned, [5]int{},
		"the account is disabled",
		"Enable the account again through the server API or the console.",
		"通过服务端 API 或控制台解封该账号。"},
	{ErrNoIMAccount, [5]int{},
		"the kit account is bound to no IM account",
		"Create the kit account again through the server API, and pass imAccid and imToken.",
		"通过服务端 API 重新创建组件账号，并传入 imAccid 和 imToken。"},
	{ErrNotEnabled, [5]int{},
		"the NERoom component is not enabled for this AppKey",
		"Enable the NERoom component for the app in the vendor's console.",
		"在控制台为该应用开通 NERoom 组件。"},
	{ErrKicked, [5]int{},
		"the service ended the IM login",
		"Tell the user, and log in again only when they ask for it. Two devices that both log in again by themselves kick each other forever.",
		"告知用户，仅在用户要求时重新登录：两台设备都自动重新登录，会互踢不止。"},
	{ErrIMLoggedOut, [5]int{},
		"IM was logged out behind the engine's back",
		"Log IM in again, then the kit. Next time, log out through the engine, or log the kit out first.",
		"先重新登录 IM，再登录组件；登出时请通过引擎，或先登出组件。"},
	{ErrUnavailable, [5]int{100003, 100003, -3, 0, -3},
		"the service cannot be reached or does not answer properly",
		"Check the network and the address, then try again.",
		"检查网络和地址，然后重试。"},
	{ErrInterrupted, [5]int{},
		"a logout or Close ended the login",
		"The login was undone. Log in again if you still want to.",
		"该登录没有留下任何状态；如仍需要，请重新登录。"},
	{ErrSecondaryProcess, [5]int{},
		"IM runs only in the main process",
		"Log in from the main process, and do not set Options.SecondaryProcess there.",
		"在主进程中登录，主进程不要设置 Options.SecondaryProcess。"},
}

// Error describes the failure in one sentence.
func (c Code) Error() string {
	if i := c.row(); i >= 0 {
		return codes[i].text
	}
	return fmt.Sprintf("code %d", int(c))
}

// Remedy says in English what to do about the failure. If the vendor's guides
// give advice, it is that advice in our words. Remedy returns "" if c is not
// one of the Codes of this package.
func (c Code) Remedy() string {
	if i := c.row(); i >= 0 {
		return codes[i].remedy
	}
	return ""
}

// RemedyIn returns the remedy in the language of a BCP 47 tag such as "zh-CN".
// It knows Chinese; for any other language it returns the English of Remedy.
func (c Code) RemedyIn(language string) string {
	primary, _, _ := strings.Cut(strings.ReplaceAll(language, "_", "-"), "-")
	if i := c.row(); i >= 0 && strings.EqualFold(primary, "zh") {
		return codes[i].chinese
	}
	return c.Remedy()
}

// In returns the number that the kits of p use for the failure, and whether
// they have one.
func (c Code) In(p Profile) (int, bool) {
	if i := c.row(); i >= 0 && int(p) < len(codes[i].numbers) {
		n := codes[i].numbers[p]
		return n, n != 0
	}
	return 0, false
}

func (c Code) row() int {
	for i := range codes {
		if codes[i].code == c {
			return i
		}
	}
	return -1
}

// CodeOf returns the first Code in err's chain, or 0 if there is none. It also
// returns 0 if a method of an error in the chain panics, as methods of a nil
// pointer often do.
func CodeOf(err error) (c Code) {
	defer func() { _ = recover() }()
	errors.As(err, &c)
	return c
}

// An Error is the error of every operation of an Engine, and of New. Like
// fs.PathError, it says what was tried and what went wrong.
type Error struct {
	Op    string // the failed operation, such as "LoginKit"; for a loss, its trigger
	State State  // the state in which the operation began
	Call  string // the backend's method that failed, such as "Authenticate"; "" if none did
	Err   error  // the reason
}

// Error names the operation, the call that failed and the reason.
func (e *Error) Error() string {
	if e == nil {
		return "<nil>"
	}
	if e.Call != "" && e.Call != e.Op {
		return fmt.Sprintf("imreuse: %s in %v: %s: %s", e.Op, e.State, e.Call, errorText(e.Err))
	}
	return fmt.Sprintf("imreuse: %s in %v: %s", e.Op, e.State, errorText(e.Err))
}

// Unwrap returns e.Err, or nil if e is nil.
func (e *Error) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// A deadlineError is the reason for the failure of an operation whose deadline
// passed. It matches ErrUnavailable, context.DeadlineExceeded and the cause of
// the ctx.
type deadlineError struct {
	waitedFor string // "" if the operation had not begun
	cause     error
}

// waits says, for each method of the backend, what an operation that calls it
// is waiting for.
var waits = map[string]string{
	"AdoptIM":      "the host's own IM login to finish",
	"InitIM":       "IM to be initialised",
	"LoginIM":      "the IM login",
	"LogoutIM":     "the IM logout",
	"Authenticate": "the kit server to check the account",
	"Anonymous":    "the kit server to create a temporary account",
	"LoginKit":     "the kit login",
	"LogoutKit":    "the kit logout",
	"RenewKit":     "the kit to renew its token",
	"KitToken":     "a kit token",
	"IMToken":      "an IM token",
}

const turnToCome = "another operation to finish"

// ctxError returns the error of an operation whose ctx ended with err because
// of cause. The cause can also be a logout or a loss, which cancels the ctx.
func ctxError(err, cause error, waitedFor string) error {
	if !errors.Is(err, context.DeadlineExceeded) {
		return cause
	}
	return &deadlineError{waitedFor, cause}
}

func (e *deadlineError) Error() string {
	if e.waitedFor == "" {
		return fmt.Sprintf("the deadline had passed before the operation began: %v", e.cause)
	}
	return fmt.Sprintf("the deadline passed while waiting for %s: %v", e.waitedFor, e.cause)
}

func (e *deadlineError) Unwrap() []error {
	return []error{ErrUnavailable, context.DeadlineExceeded, e.cause}
}

// A MismatchError says which IM account the kit account is bound to, and which
// one is logged in. It unwraps to ErrAppKeyMismatch if the AppKeys differ,
// otherwise to ErrIMAccountMismatch. The accounts in it have no token.
type MismatchError struct {
	Bound    IMAccount // the account that the kit account is bound to
	LoggedIn IMAccount // the account that is logged in; if AppKeys differ, possibly only IM's AppKey
}

func (e *MismatchError) Error() string {
	if e == nil {
		return "<nil>"
	}
	if e.Unwrap() == ErrAppKeyMismatch {
		return fmt.Sprintf("%v: the kit account is bound to an IM account of AppKey %q, but IM uses %q",
			ErrAppKeyMismatch, e.Bound.AppKey, e.LoggedIn.AppKey)
	}
	return fmt.Sprintf("%v: it is bound to %q, but %q is logged in", ErrIMAccountMismatch, e.Bound.Accid, e.LoggedIn.Accid)
}

func (e *MismatchError) Unwrap() error {
	if e == nil {
		return nil
	}
	if e.Bound.AppKey != e.LoggedIn.AppKey {
		return ErrAppKeyMismatch
	}
	return ErrIMAccountMismatch
}

// A KickReason says why the service ended an IM login. The numbers are the ones
// of the vendor's V2 SDKs (docs/vendor/im-sdk.md#kick-reasons).
type KickReason int

const (
	KickedByClient KickReason = 1 // another device logged in, and the app allows only one
	KickedByServer KickReason = 2 // somebody used the server API or the console
	KickedByOther  KickReason = 3 // another device asked for it
	KickedQuietly  KickReason = 4 // the same device logged in again
)

var kickReasons = [...]string{KickedByClient: "by a login on another device", KickedByServer: "by the server",
	KickedByOther: "by another device", KickedQuietly: "by a new login on the same device"}

// String says who ended the login, such as "by the server".
func (r KickReason) String() string {
	if r >= KickedByClient && int(r) < len(kickReasons) {
		return kickReasons[r]
	}
	return fmt.Sprintf("KickReason(%d)", int(r))
}

// A KickError is the cause of a loss if the service kicked the IM login. It
// unwraps to ErrKicked.
type KickError struct {
	Reason     KickReason
	ClientType int    // the kind of device that did it, in the vendor's numbers (docs/vendor/im-sdk.md#kick-reasons); 0 if not known
	Text       string // the service's own words; "" if it sent none
}

func (e *KickError) Error() string {
	if e == nil {
		return "<nil>"
	}
	s := fmt.Sprintf("%v: it was kicked %v", ErrKicked, e.Reason)
	if e.ClientType != 0 {
		s += fmt.Sprintf(" (client type %d)", e.ClientType)
	}
	if e.Text != "" {
		s += ": " + e.Text
	}
	return s
}

func (e *KickError) Unwrap() error {
	if e == nil {
		return nil
	}
	return ErrKicked
}
