/** The page's content security policy: a meta tag in the built page, and a header where the host can send one. */

const DIRECTIVES = {
  'default-src': "'none'",
  'script-src': "'self'",
  'worker-src': "'self'",
  'connect-src': "'self' https://huggingface.co https://*.hf.co", // where models come from when a person asks for one
  'img-src': "'self' data: blob:",
  'style-src': "'self'",
  'manifest-src': "'self'",
  'base-uri': "'none'",
  'form-action': "'none'",
  'object-src': "'none'",
};

export const CSP_META = Object.entries(DIRECTIVES)
  .map(([name, value]) => `${name} ${value}`)
  .join('; ');

/** frame-ancestors has no effect in a meta tag. */
export const CSP_HEADER = `${CSP_META}; frame-ancestors 'none'`;
