/** The system, or what is asked of it, is nothing the other language can express; the message says what. */
export class NotExpressible extends Error {}
