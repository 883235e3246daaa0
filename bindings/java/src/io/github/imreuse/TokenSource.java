package io.github.imreuse;

import java.util.concurrent.CompletableFuture;

/** Fetches a token, for example from the app server. {@link Options} takes two of them. */
@FunctionalInterface
public interface TokenSource {
  /**
   * Starts to fetch a token, and returns at once. The operation that needs the
   * token waits for the future. If the future fails, the operation fails with the
   * message of the exception, and with the exception's code if it is an {@link
   * ImReuseException}.
   *
   * <p>This method is called on threads of the library, from several at once. It
   * may call everything here. If it throws, or returns {@code null}, the operation
   * fails; the exception goes to {@link Engine#errorHandler}.
   *
   * @param id the account: an accid for an IM token, a userUuid for a kit token
   * @param refused the token that was refused or has run out; empty if there is none
   * @return the token
   */
  CompletableFuture<String> token(String id, String refused);
}
