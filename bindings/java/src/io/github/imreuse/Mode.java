package io.github.imreuse;

/** Who logs IM in for a kit login: the host or the engine. */
public enum Mode {
  /** A kit login reuses the host's IM login if there is one; if not, the engine logs IM in. */
  AUTO_DETECT,
  /** Only the host logs IM in. Without its login, a kit login fails. */
  REUSE_IM,
  /** The engine logs IM in. If the host is logged in, a kit login fails. */
  AUTO_LOGIN
}
