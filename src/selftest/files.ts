/** The oracle that ships with the page, fetched when the self-test is asked for: a tiny Qwen2 and what PyTorch computed with it. */
import type { OracleFiles } from './check';

export const SELF_TEST_FILES = [
  'config.json',
  'model.safetensors',
  'inputs.safetensors',
  'base.safetensors',
  'generate.safetensors',
  'meta.json',
  'lora/adapter_config.json',
  'lora/adapter_model.safetensors',
  'lora/adapter_after10.safetensors',
  'lora/fwd_bwd.safetensors',
  'lora/result.json',
] as const;

/** `folder` ends in a slash. Each file is fetched once; a name that does not ship is no file. */
export function shippedOracle(folder: URL): OracleFiles {
  const fetched = new Map<string, Promise<Uint8Array<ArrayBuffer>>>();
  return async (name) => {
    if (!SELF_TEST_FILES.some((file) => file === name)) return null;
    let file = fetched.get(name);
    if (!file) fetched.set(name, (file = fetchBytes(new URL(name, folder))));
    return file;
  };
}

async function fetchBytes(address: URL): Promise<Uint8Array<ArrayBuffer>> {
  const answer = await fetch(address);
  if (!answer.ok)
    throw new Error(
      `The self-test’s file ${address.pathname} could not be loaded (${answer.status}). Reload the page while online.`,
    );
  return new Uint8Array(await answer.arrayBuffer());
}
