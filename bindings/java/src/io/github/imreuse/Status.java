package io.github.imreuse;

/** Which state an engine is in, and what led to it. A snapshot that never changes. */
public final class Status {
  private static final State[] STATES = State.values();

  private final long seq;
  private final State state;
  private final State floor;
  private final String via;
  private final ImReuseException cause;
  private final boolean online;
  private final boolean reused;
  private final boolean anonymous;
  private final boolean expired;
  private final String session;
  private final String accid;
  private final String userUuid;

  // jni.c calls this constructor.
  Status(
      long seq,
      int state,
      int floor,
      String via,
      ImReuseException cause,
      boolean online,
      boolean reused,
      boolean anonymous,
      boolean expired,
      String session,
      String accid,
      String userUuid) {
    this.seq = seq;
    this.state = STATES[state];
    this.floor = STATES[floor];
    this.via = via;
    this.cause = cause;
    this.online = online;
    this.reused = reused;
    this.anonymous = anonymous;
    this.expired = expired;
    this.session = session;
    this.accid = accid;
    this.userUuid = userUuid;
  }

  /**
   * Returns the number of this status. It goes up by one with each change; a gap
   * between two values that a watcher gets means that the watcher was too slow.
   *
   * @return the number
   */
  public long seq() {
    return seq;
  }

  /**
   * Returns the state.
   *
   * @return the state
   */
  public State state() {
    return state;
  }

  /**
   * Returns the highest state that the host reached, or that was already there. A
   * kit logout goes down to it and no further.
   *
   * @return the floor
   */
  public State floor() {
    return floor;
  }

  /**
   * Returns the trigger of the latest change, such as {@code login_kit} or {@code
   * im_lost}.
   *
   * @return the trigger; empty before the first change
   */
  public String via() {
    return via;
  }

  /**
   * Returns why the latest change happened if the host did not ask for it.
   *
   * @return the cause; {@code null} if the host asked for the change
   */
  public ImReuseException cause() {
    return cause;
  }

  /**
   * Returns whether the IM link is up. It is false while the IM SDK reconnects,
   * and while nobody is logged in.
   *
   * @return whether the link is up
   */
  public boolean online() {
    return online;
  }

  /**
   * Returns whether the kit is logged in over the host's IM login.
   *
   * @return whether IM is reused
   */
  public boolean reused() {
    return reused;
  }

  /**
   * Returns whether the kit account is a temporary one.
   *
   * @return whether the kit login is anonymous
   */
  public boolean anonymous() {
    return anonymous;
  }

  /**
   * Returns whether the kit's token has run out and is being renewed. The login
   * holds.
   *
   * @return whether the token has run out
   */
  public boolean expired() {
    return expired;
  }

  /**
   * Returns a UUID that identifies the IM login.
   *
   * @return the UUID; empty if nobody is logged in
   */
  public String session() {
    return session;
  }

  /**
   * Returns the IM account that is logged in, in lower case.
   *
   * @return the accid; empty if nobody is logged in
   */
  public String accid() {
    return accid;
  }

  /**
   * Returns the kit account that is logged in, in lower case.
   *
   * @return the userUuid; empty if the kit is not logged in
   */
  public String userUuid() {
    return userUuid;
  }

  @Override
  public String toString() {
    StringBuilder b = new StringBuilder().append(seq).append(' ').append(state);
    if (!via.isEmpty()) {
      b.append(" via ").append(via);
    }
    if (!accid.isEmpty()) {
      b.append(", accid ").append(accid).append(online ? "" : " (offline)");
    }
    if (!userUuid.isEmpty()) {
      b.append(", userUuid ").append(userUuid);
    }
    if (cause != null) {
      b.append(": ").append(cause.getMessage());
    }
    return b.toString();
  }
}
