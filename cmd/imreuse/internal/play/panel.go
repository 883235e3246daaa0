package play

import "github.com/imreuse/imreuse/engine"

// A Panel is what the page's controls show. It changes; Version goes up each
// time.
type Panel struct {
	Version uint64      `json:"version"`
	Mode    engine.Mode `json:"mode"`
	Renewal bool        `json:"renewal"`
	IM      string      `json:"im"` // the accid that the device's IM is logged in with, whoever did it
	Kit     []Account   `json:"kit"`
	Running []running   `json:"running"`
	Hanging []*hang     `json:"hanging"`
	Failing []*fault    `json:"failing"`
	Results []Result    `json:"results"` // the newest first
}

// An Account is a kit account that the app can log in with.
type Account struct {
	Choice   string `json:"choice"`
	UserUUID string `json:"userUuid"`
	Accid    string `json:"accid"` // that it is bound to
}

func (s *Session) panel() Panel {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.world
	w.mu.Lock()
	defer w.mu.Unlock()
	return Panel{
		Version: s.version,
		Mode:    w.setup.mode,
		Renewal: w.setup.renewal,
		IM:      w.device.LoggedIn(),
		Kit:     []Account{w.account(boundAccount, w.bound), w.account(otherAccount, bobKit)},
		Running: append([]running{}, s.running...),
		Hanging: append([]*hang{}, w.hangs...),
		Failing: append([]*fault{}, w.faults...),
		Results: append([]Result{}, s.results...),
	}
}

func (w *world) account(choice, userUUID string) Account {
	_, accid, _ := w.cloud.FindKit(userUUID)
	return Account{choice, userUUID, accid}
}

// A Catalogue is what the page needs to know to make its controls. It does not
// change.
type Catalogue struct {
	Secret    string          `json:"secret"` // that each act must show
	Acts      map[string]Text `json:"acts"`
	Calls     []string        `json:"calls"`
	Failures  []Failure       `json:"failures"`
	Kicks     []Kick          `json:"kicks"`
	Platforms []Text          `json:"platforms"`
	Stories   []Story         `json:"stories"`
	PaceMS    int64           `json:"paceMs"` // between two steps of a story
}

// A Failure is a Code that a call can fail with on request.
type Failure struct {
	Code engine.Code `json:"code"`
	Text Text        `json:"text"`
}

// A Kick is a reason for one.
type Kick struct {
	Reason engine.KickReason `json:"reason"`
	Text   Text              `json:"text"`
}

// actTexts names each act.
var actTexts = map[string]Text{
	"host_init":   {"The app initialises IM", "应用初始化 IM"},
	"host_login":  {"The app logs IM in", "应用登录 IM"},
	"host_logout": {"The app logs IM out", "应用登出 IM"},

	"init_im":         {"InitIM", "InitIM"},
	"login_im":        {"LoginIM", "LoginIM"},
	"logout_im":       {"LogoutIM", "LogoutIM"},
	"login_kit":       {"LoginKit", "LoginKit"},
	"login_anonymous": {"LoginAnonymous", "LoginAnonymous"},
	"logout_kit":      {"LogoutKit", "LogoutKit"},

	"setup":              {"A new engine", "新的引擎"},
	"reset":              {"Reset", "重置"},
	"fetch_tokens":       {"Fetch new tokens", "获取新的 token"},
	"create_kit_account": {"Create the kit account again", "重新创建组件账号"},

	"kick":    {"Kick", "踢下线"},
	"link":    {"The link", "连接"},
	"expire":  {"A token runs out", "token 过期"},
	"fail":    {"Make the next call fail", "让下一次调用失败"},
	"hang":    {"Make calls hang", "让调用挂起"},
	"release": {"Release", "放行"},
}

var failureTexts = map[engine.Code]Text{
	engine.ErrUnavailable:   {"unavailable", "服务不可用"},
	engine.ErrTokenRejected: {"token rejected", "token 被拒绝"},
	engine.ErrTokenExpired:  {"token expired", "token 已过期"},
	engine.ErrAccountBanned: {"account disabled", "账号被禁用"},
	engine.ErrNotEnabled:    {"component not enabled", "未开通组件"},
}

var kickTexts = []Kick{
	{engine.KickedByClient, Text{"by a login on another device", "在另一台设备上登录"}},
	{engine.KickedByServer, Text{"by the server", "由服务端踢出"}},
	{engine.KickedByOther, Text{"by another device", "由另一台设备踢出"}},
	{engine.KickedQuietly, Text{"by a new login on the same device", "同一设备重新登录"}},
}

func (s *Session) catalogue() Catalogue {
	c := Catalogue{Secret: s.secret, Acts: actTexts, Calls: calls, Kicks: kickTexts, Platforms: platforms, Stories: stories, PaceMS: s.pace.Milliseconds()}
	for _, code := range failures {
		c.Failures = append(c.Failures, Failure{code, failureTexts[code]})
	}
	return c
}
