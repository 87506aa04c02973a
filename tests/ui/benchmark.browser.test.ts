/** The Benchmark page: figures, kernels and verdicts as a person reads them. */
import { expect, it } from 'vitest';
import { page } from 'vitest/browser';
import { verdict } from './samples/benchmark';
import { show } from './states';

it('a measurement: figures beside their limit, a wrong peer said to be wrong, the broken operation named', async () => {
  await show('measured', '#/benchmark');
  const kernels = page.getByTestId('kernel-trial');
  await expect.element(kernels.nth(0)).toHaveTextContent('used');
  await expect.element(kernels.nth(1)).not.toHaveTextContent('used');
  await expect.element(kernels.nth(2)).toHaveTextContent('wrong numbers');
  const rows = page.getByTestId('benchmark-rows');
  await expect.element(rows).toHaveTextContent('89 % of 50 GFLOP/s');
  await expect.element(rows).toHaveTextContent('TensorFlow.js: 900 ms, 9 times ours');
  await expect.element(rows).toHaveTextContent('Another: wrong results (1.4e+0 away), so not timed');
  await expect.element(rows).toHaveTextContent('This GPU allows 128 MiB in one binding.');
  // one name for both formats of the product
  const names = [...rows.element().querySelectorAll('h3')].map(({ textContent }) => textContent);
  expect(names).toEqual(['Matrix product, forward', 'Final norm, logits and loss']);
  const shapes = page.getByTestId('benchmark-row');
  await expect.element(shapes.nth(1)).toHaveTextContent('512 × 896 × 4864, f32');
  const notice = page.getByTestId('selftest-verdict');
  await expect.element(notice).toHaveTextContent('Right, but by a slower way');
  await expect
    .element(notice)
    .toHaveTextContent(
      'On this graphics card, attention gives wrong results. Loratory uses a slower way for it.',
    );
  await expect.element(notice).toHaveTextContent('It is computed by TensorFlow.js.');
  await expect.element(notice).toHaveTextContent('a whole model computed what PyTorch computes on Test GPU');
  await page.getByText('All checks').click();
  const checks = page.getByTestId('selftest-check');
  await expect.element(checks.nth(1)).toHaveTextContent('failed');
  await expect.element(checks.nth(2)).toHaveTextContent('attention, by TensorFlow.js');
  await expect.element(checks.nth(2)).not.toHaveTextContent('failed');
});

it('a measurement under way: what is measured and how many figures there are', async () => {
  const { session, trainer } = await show('fresh', '#/benchmark');
  const whole = trainer.benchmark;
  let end: () => void = () => undefined;
  let late: () => void = () => undefined;
  trainer.benchmark = async (names, onRow, onNow) => {
    const result = await whole(names, onRow, onNow);
    await new Promise<void>((resolve) => (end = resolve));
    if (result.ok) late = () => result.value.forEach(onRow);
    return result;
  };
  const over = session.benchmark.measure();
  await expect
    .element(page.getByText('One decoder layer, T 64; '))
    .toHaveTextContent(/; \d+ figures so far…/);
  end();
  await over;
  await expect.element(page.getByText('One decoder layer, T 64; ')).not.toBeInTheDocument();
  // rows that come after the whole of them are not shown twice
  const { length } = session.benchmark.rows;
  late();
  expect(session.benchmark.rows).toHaveLength(length);
});

it('a verdict of an earlier visit: what was wrong, when, and the way to test again', async () => {
  const detours = [...verdict.detours, { operation: 'linear q4', way: null } as const];
  const { session } = await show('fresh', '#/benchmark', { ...verdict, detours });
  const notice = page.getByTestId('selftest-verdict');
  await expect.element(notice).toHaveTextContent('Right, but not in everything');
  await expect
    .element(notice)
    .toHaveTextContent('multiplying by q4 weights gives wrong results in every way');
  await expect.element(notice).toHaveTextContent('Choose another weight format.');
  await expect.element(notice).toHaveTextContent('here on May 17, 2026');
  const button = page.getByTestId('selftest-start');
  await expect.element(button).toHaveTextContent('Run the self-test again');
  await button.click();
  await expect.element(notice).not.toHaveTextContent('q4 weights');
  expect(session.benchmark.verdict).toEqual(verdict);
});

it('a model that is computed wrongly although each operation is right', async () => {
  await show('fresh', '#/benchmark', { detours: [], right: false, made: verdict.made });
  const notice = page.getByTestId('selftest-verdict');
  await expect.element(notice).toHaveTextContent('Something is computed wrongly');
  await expect.element(notice).toHaveTextContent('No single operation is at fault');
  await expect.element(notice).toHaveTextContent('Do not trust an adapter trained here');
});
