/** A visitor of the built app: a headless browser, a fresh profile, and a record of everything that went wrong. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright';
import { inject, test } from 'vitest';
import { findChromium, SWIFTSHADER_ARGS } from '../../scripts/system.mjs';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export interface Visitor {
  browser: Browser;
  context: BrowserContext;
  page: Page;
  url: string;
  /** Uncaught errors, console errors and refused requests, CSP violations among them. A journey ends with none. */
  troubles: string[];
}

/** Notes what goes wrong on a page from now on. */
export function listen(page: Page, troubles: string[]): void {
  page.on('pageerror', (error) => troubles.push(`uncaught: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error') troubles.push(`console: ${message.text()}`);
  });
  page.on('crash', () => troubles.push('the page crashed'));
}

/** A test with a visitor of its own. */
export function journey(name: string, walk: (visitor: Visitor) => Promise<void>): void {
  test(name, async () => {
    const executablePath = findChromium();
    const browser = await chromium.launch({
      ...(executablePath ? { executablePath } : {}),
      args: SWIFTSHADER_ARGS,
    });
    try {
      const context = await browser.newContext({ acceptDownloads: true });
      const page = await context.newPage();
      const troubles: string[] = [];
      listen(page, troubles);
      await walk({ browser, context, page, url: inject('appUrl'), troubles });
    } finally {
      await browser.close();
    }
  });
}

/** Accessibility faults on the page as it stands, one line each. */
export async function axeFaults(page: Page): Promise<string[]> {
  // Through the debugger, since the page's own policy forbids foreign scripts.
  await page.evaluate(axeSource);
  return page.evaluate(async () => {
    interface Axe {
      run: () => Promise<{
        violations: { id: string; help: string; nodes: { target: unknown[]; failureSummary?: string }[] }[];
      }>;
    }
    const { axe } = globalThis as typeof globalThis & { axe: Axe };
    const { violations } = await axe.run();
    return violations.flatMap((fault) =>
      fault.nodes.map(
        (node) => `${fault.id}: ${fault.help} (${node.target.join(' ')}) ${node.failureSummary ?? ''}`,
      ),
    );
  });
}
