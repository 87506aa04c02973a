/** The page's content security policy: a meta tag in the built page, and a header where the host can send one. */

const DIRECTIVES = {
  'default-src': "'none'",
  'script-src': "'self' 'wasm-unsafe-eval'", // the running sha256 of a download is WebAssembly
  'worker-src': "'self'",
  // where models come from when a person asks for one; a mirror lies on the page's own address
  'connect-src': "'self' https://huggingface.co https://*.hf.co",
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
