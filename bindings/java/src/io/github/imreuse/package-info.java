/**
 * One IM login for the app and for the kit.
 *
 * <pre>{@code
 * HostIm im = new HostIm(client);                      // the app's own IM client
 * Engine engine = new Engine(im, new KitServer(appKey, null), new Options(appKey).mode(Mode.REUSE_IM));
 * engine.initIm().thenCompose(v -> engine.loginIm(accid, imToken))
 *     .thenCompose(v -> engine.loginKit(userUuid, userToken));
 * }</pre>
 *
 * <p>Every method may be called from any thread, also from a callback. Nothing
 * blocks on the network, except {@link io.github.imreuse.Engine#close}: an operation returns a
 * future at once, and the future completes exactly once.
 *
 * <p>Futures complete and watchers run on threads of their own, which hold no
 * lock of the library, so they may take their time. The host's IM client, its
 * token sources and its logger are called on threads of the library, one call at
 * a time for each engine. They start their work and return.
 *
 * <p>An exception that a callback throws goes to {@link
 * io.github.imreuse.Engine#errorHandler} and harms nothing else.
 */
package io.github.imreuse;
