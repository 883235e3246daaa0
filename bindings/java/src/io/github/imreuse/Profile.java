package io.github.imreuse;

/** A generation of the vendor's kits. Each numbers the same failures differently. */
public enum Profile {
  /** NEMeetingKit 3.2 and later: Android, iOS, Web, H5, Electron. */
  MEETING,
  /** NERoom, all platforms. */
  ROOM,
  /** NEMeetingKit for Windows, macOS and Linux. */
  DESKTOP,
  /** RoomKit 1.x. */
  ROOMKIT1,
  /** Meeting SDK 1.x and 2.x. */
  MEETING1
}
