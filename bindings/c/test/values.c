/* Rules 2 and 3: codes, statuses, and structs that grow. */
#include "check.h"

static void test_codes(void) {
  for (int code = -20100; code < 113000; code++) {
    CHECK(imreuse_code_text(code) != NULL && imreuse_code_text(code)[0], "code %d has no text", code);
    CHECK(imreuse_code_remedy(code) != NULL, "code %d has no remedy", code);
  }
  for (int code = IMREUSE_ERR_SECONDARY_PROCESS; code <= IMREUSE_ERR_CLOSED; code++) {
    CHECK(imreuse_code_remedy(code)[0], "code %d has no remedy", code);
  }
  CHECK(!imreuse_code_remedy(IMREUSE_OK)[0] && !imreuse_code_remedy(IMREUSE_ERR_OTHER)[0], "a remedy for nothing");
  CHECK(imreuse_code_in(IMREUSE_ERR_IM_NOT_LOGGED_IN, IMREUSE_PROFILE_DESKTOP) == 1801, "desktop");
  CHECK(imreuse_code_in(IMREUSE_ERR_IM_ACCOUNT_MISMATCH, IMREUSE_PROFILE_MEETING) == 100005, "meeting");
  CHECK(imreuse_code_in(IMREUSE_ERR_TOKEN_REJECTED, IMREUSE_PROFILE_ROOM) == 1027, "room");
  CHECK(imreuse_code_in(IMREUSE_ERR_IM_NOT_LOGGED_IN, IMREUSE_PROFILE_ROOMKIT1) == -6, "roomkit 1");
  CHECK(imreuse_code_in(IMREUSE_ERR_IM_ACCOUNT_MISMATCH, IMREUSE_PROFILE_MEETING1) == -5, "meeting 1");
  CHECK(imreuse_code_in(IMREUSE_ERR_IM_IN_USE, IMREUSE_PROFILE_ROOM) == 0, "it has none");
  CHECK(imreuse_code_in(12345, IMREUSE_PROFILE_ROOM) == 0, "no code");
  CHECK(imreuse_code_in(IMREUSE_ERR_IM_NOT_LOGGED_IN, (imreuse_profile)77) == 0, "no profile");
  CHECK(strcmp(imreuse_version(), IMREUSE_VERSION) == 0, "the library is %s, the header %s", imreuse_version(), IMREUSE_VERSION);
}

static void test_status(void) {
  world w;
  world_make(&w);
  imreuse_status s;
  memset(&s, 0x5a, sizeof s);
  CHECK(imreuse_get_status(w.engine, &s), "no status");
  CHECK(s.seq == 0 && s.state == IMREUSE_UNINITIALIZED && s.floor == IMREUSE_UNINITIALIZED, "state %d", (int)s.state);
  CHECK(!s.via[0] && !s.session[0] && !s.accid[0] && !s.user_uuid[0], "texts");
  CHECK(s.cause.code == IMREUSE_OK && !s.cause.op[0] && !s.cause.call[0] && !s.cause.message[0] && !s.cause.remedy[0], "cause");
  CHECK(!s.online && !s.reused && !s.anonymous && !s.expired, "flags");

  CHECK(run_simple(&w, imreuse_init_im) == IMREUSE_OK, "init");
  CHECK(run_login(&w, imreuse_login_im, "MyAccid", IM_TOKEN) == IMREUSE_OK, "login");
  CHECK(run_login(&w, imreuse_login_kit, USER, USER_TOKEN) == IMREUSE_OK, "login");
  s = status_of(&w);
  CHECK(s.seq == 3 && s.state == IMREUSE_KIT_LOGGED_IN && s.floor == IMREUSE_IM_LOGGED_IN, "state %d", (int)s.state);
  CHECK(strcmp(s.via, "login_kit") == 0 && strlen(s.session) == 36 && s.session[8] == '-', "via %s, session %s", s.via, s.session);
  CHECK(strcmp(s.accid, ACCID) == 0 && strcmp(s.user_uuid, USER) == 0, "%s, %s", s.accid, s.user_uuid);
  CHECK(s.online && s.reused && !s.anonymous && !s.expired, "flags");

  imreuse_mock_expire(w.mock, USER); /* nobody renews it, so the session ends */
  WAIT_FOR(status_of(&w).state == IMREUSE_IM_LOGGED_IN);
  s = status_of(&w);
  CHECK(strcmp(s.via, "kit_lost") == 0 && s.cause.code == IMREUSE_ERR_TOKEN_EXPIRED, "via %s, code %d", s.via, s.cause.code);
  imreuse_mock_kick(w.mock, ACCID, IMREUSE_KICKED_BY_SERVER);
  WAIT_FOR(status_of(&w).state == IMREUSE_IM_INITIALIZED);
  s = status_of(&w);
  CHECK(strcmp(s.via, "im_lost") == 0 && s.cause.code == IMREUSE_ERR_KICKED, "via %s, code %d", s.via, s.cause.code);
  CHECK(strstr(s.cause.message, "by the server") && s.cause.remedy[0], "%s", s.cause.message);
  CHECK(!s.session[0] && !s.accid[0] && !s.user_uuid[0] && !s.online && !s.reused, "what has ended still shows");

  CHECK(run_login(&w, imreuse_login_im, ACCID, IM_TOKEN) == IMREUSE_OK, "login");
  imreuse_mock_end_im(w.mock, ACCID, IMREUSE_ERR_ACCOUNT_BANNED);
  WAIT_FOR(status_of(&w).cause.code == IMREUSE_ERR_ACCOUNT_BANNED);
  world_end(&w);
}

/* A text that is too long for its field ends at a character. */
static void test_long_text(void) {
  imreuse_error e;
  char json[2000] = "{\"appKey\": \"";
  for (int i = 0; i < 600; i++) strcat(json, "\xe4\xba\x91");
  CHECK(imreuse_mock_new(json, &e) == NULL && e.code == IMREUSE_ERR_ARGUMENT, "%d", e.code);
  imreuse_kit_options o = {0};
  char url[1500] = "ftp://";
  for (int i = 0; i < 400; i++) strcat(url, "\xe4\xba\x91");
  o.struct_size = sizeof o;
  o.app_key = APP_KEY;
  o.kit_url = url;
  CHECK(imreuse_kit_new(&o, &e) == NULL && e.code == IMREUSE_ERR_ARGUMENT, "%d", e.code);
  size_t n = strlen(e.message);
  CHECK(n < sizeof e.message, "the message does not end");
}

static void test_accounts(void) {
  imreuse_error e;
  CHECK(imreuse_mock_new("{\"appKey\": \"a\", \"im\": [{\"accid\": \"b\", \"token\": \"s3cr et\"}]}", &e) == NULL, "bad accounts");
  CHECK(e.code == IMREUSE_ERR_ARGUMENT && strstr(e.message, "im[0].token") && !strstr(e.message, "s3cr"), "%s", e.message);
  CHECK(imreuse_mock_new("nonsense", NULL) == NULL, "bad accounts");
  world w = {0};
  w.mock = imreuse_mock_new("{\"appKey\": \"k9\", \"im\": [{\"accid\": \"b\", \"token\": \"t\"}], "
                            "\"kit\": [{\"userUuid\": \"u\", \"userToken\": \"ut\", \"accid\": \"b\"}]}", &e);
  CHECK(w.mock != NULL, "%s", e.message);
  w.options.struct_size = sizeof w.options;
  w.options.app_key = "k9";
  w.options.im = w.im = imreuse_mock_im(w.mock);
  w.options.kit = w.kit = imreuse_mock_kit(w.mock);
  world_open(&w);
  CHECK(run_login(&w, imreuse_login_kit, "u", "ut") == IMREUSE_OK, "login");
  CHECK(strcmp(status_of(&w).accid, "b") == 0, "%s", status_of(&w).accid);
  world_end(&w);
}

/* A struct of an older header is smaller, and one of a newer header larger. */
static void test_struct_size(void) {
  world w;
  imreuse_error e;
  world_prepare(&w);
  struct {
    imreuse_options options;
    char more[16];
  } newer;
  memset(&newer, 0, sizeof newer);
  newer.options = w.options;
  newer.options.struct_size = sizeof newer;
  newer.more[15] = 1;
  CHECK(imreuse_new(&newer.options, &e) == NULL && e.code == IMREUSE_ERR_ARGUMENT, "an unknown field was accepted");
  w.options.struct_size = 0;
  CHECK(imreuse_new(&w.options, &e) == NULL && e.code == IMREUSE_ERR_ARGUMENT, "%d", e.code);
  CHECK(imreuse_new(NULL, &e) == NULL && e.code == IMREUSE_ERR_ARGUMENT, "%d", e.code);
  w.options.struct_size = offsetof(imreuse_options, mode);
  w.options.mode = (imreuse_mode)99; /* beyond the end */
  world_open(&w);
  CHECK(run_simple(&w, imreuse_login_anonymous) == IMREUSE_OK, "login");
  world_end(&w);
  world_prepare(&w);
  newer.options = w.options;
  newer.options.struct_size = sizeof newer;
  newer.more[15] = 0;
  w.engine = imreuse_new(&newer.options, &e);
  CHECK(w.engine != NULL, "%s", e.message);
  world_end(&w);
}

static void test_bad_options(void) {
  world w;
  imreuse_error e;
  world_prepare(&w);
  w.options.mode = (imreuse_mode)256;
  CHECK(imreuse_new(&w.options, &e) == NULL && e.code == IMREUSE_ERR_ARGUMENT, "%s", e.message);
  w.options.mode = IMREUSE_AUTO_DETECT;
  w.options.app_key = NULL;
  CHECK(imreuse_new(&w.options, &e) == NULL && e.code == IMREUSE_ERR_ARGUMENT && strstr(e.message, "appKey"), "%s", e.message);
  CHECK(strcmp(e.op, "New") == 0, "%s", e.op);
  w.options.app_key = APP_KEY;
  w.options.im = NULL;
  CHECK(imreuse_new(&w.options, &e) == NULL && e.code == IMREUSE_ERR_ARGUMENT, "%s", e.message);
  w.options.im = w.im;
  world_open(&w); /* the kit was not used up by the failures */
  CHECK(imreuse_new(&w.options, &e) == NULL && e.code == IMREUSE_ERR_ARGUMENT && strstr(e.message, "kit"), "%s", e.message);
  CHECK(imreuse_new(&w.options, NULL) == NULL, "a kit serves one engine");
  world_end(&w);

  imreuse_kit_options o = {0};
  o.struct_size = sizeof o;
  o.app_key = APP_KEY;
  o.kit_url = "http://192.0.2.1/";
  CHECK(imreuse_kit_new(&o, &e) == NULL && e.code == IMREUSE_ERR_ARGUMENT, "plain HTTP to another machine: %d", e.code);
  o.plain_http = true;
  imreuse_kit *kit = imreuse_kit_new(&o, &e);
  CHECK(kit != NULL, "%s", e.message);
  imreuse_kit_release(kit);
}

void test_values(void) {
  test_codes();
  test_status();
  test_long_text();
  test_accounts();
  test_struct_size();
  test_bad_options();
}
