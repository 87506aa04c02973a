/** Runs before every GPU test file: real WebGPU in Node. A test asks for its own device. */
import { installDawn } from '../../scripts/dawn.mjs';

await installDawn();
