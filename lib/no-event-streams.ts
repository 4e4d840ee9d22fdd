// What bundles have in the place of `@smithy/core/event-streams`: S3's client asks for it when it is made, and uses it for
// SelectObjectContent alone, which nothing here calls.

/** The settings as they are. */
export const resolveEventStreamSerdeConfig = <T>(settings: T): T => settings;

/** Nothing that could read or write a stream of events. */
export const eventStreamSerdeProvider = () => undefined;
