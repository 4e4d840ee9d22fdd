/** Node alone. */
export const handler = async () => ({ statusCode: 200 });
