/** The module, gzip in base64; written by the build. */
export declare const bytes: string;
