/** What tabs tell each other of a run. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Elsewhere, type Channel, type TabMessage } from '../../src/state/elsewhere.svelte';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

/** A browser whose tabs hear what the others post. */
function browser(): () => Elsewhere {
  const channels: Channel[] = [];
  return () => {
    const channel: Channel = {
      onmessage: null,
      postMessage(message: TabMessage) {
        for (const other of channels)
          if (other !== channel) other.onmessage?.(new MessageEvent('message', { data: message }));
      },
    };
    channels.push(channel);
    return new Elsewhere(channel);
  };
}

it('a tab hears of the run of another, also when it is opened later, and of its end', () => {
  const open = browser();
  const [first, second] = [open(), open()];
  first.tell('Shop', 3, 9);
  const later = open();
  for (const tab of [second, later]) expect(tab.run).toMatchObject({ name: 'Shop', step: 3, steps: 9 });
  first.over();
  for (const tab of [second, later]) expect(tab.run).toBeNull();
});

it('one that says nothing for 45 s counts as gone', () => {
  const open = browser();
  const [first, second] = [open(), open()];
  first.tell('Shop', 3, 9);
  vi.advanceTimersByTime(44_999);
  expect(second.run).not.toBeNull();
  vi.advanceTimersByTime(1);
  expect(second.run).toBeNull();
});

it('a tab that is being closed is not heard of again, whatever its run still tells', () => {
  const open = browser();
  const [first, second] = [open(), open()];
  first.tell('Shop', 3, 9);
  first.leave();
  first.tell('Shop', 4, 9);
  expect(second.run).toBeNull();
  first.back();
  first.tell('Shop', 5, 9);
  expect(second.run).toMatchObject({ step: 5 });
});
