// Two ways to use a page: with a pointer, and with the keyboard alone.

import { assert } from './checks.mjs';

/** More stops than any page has; whoever tabs on is caught somewhere. */
const MOST_STOPS = 40;

/** Points and clicks. */
export class Pointer {
  constructor(tab) {
    this.tab = tab;
  }

  fill(label, text) {
    return this.tab.page.getByLabel(label).fill(text);
  }

  choose(label) {
    return this.tab.page.getByLabel(label).check();
  }

  /** Presses a button, or follows a link, and waits for what comes. */
  press(words) {
    return this.tab.leaves(pressable(this.tab.page, words).click({ noWaitAfter: true }));
  }
}

/** Uses nothing but Tab, Shift+Tab, Enter, Space and letters, and wants to see where it is. */
export class Keyboard {
  constructor(tab) {
    this.tab = tab;
  }

  async fill(label, text) {
    await this.#reach(this.tab.page.getByLabel(label));
    await this.tab.page.keyboard.type(text);
  }

  async choose(label) {
    await this.#reach(this.tab.page.getByLabel(label));
    await this.tab.page.keyboard.press('Space');
  }

  async press(words) {
    const { keyboard } = this.tab.page;
    const target = pressable(this.tab.page, words);
    await this.#reach(target);
    // Too far, and back.
    await keyboard.press('Tab');
    await this.#reach(target, 'Shift+Tab');
    await this.tab.picture(`focus-${words.toLowerCase().replaceAll(' ', '-')}`);
    await this.tab.leaves(keyboard.press('Enter'));
  }

  async #reach(target, key = 'Tab') {
    for (let stops = 0; !(await isFocused(target)); stops++) {
      assert(stops < MOST_STOPS, `${key} does not lead to ${target}`);
      await this.tab.page.keyboard.press(key);
      await this.#assertSeen();
    }
  }

  /** Whoever tabs must see where they are: inside the window, with an outline. */
  async #assertSeen() {
    const focus = await this.tab.page.evaluate(() => {
      const element = document.activeElement;
      if (!element || element === document.body) return null;
      const { outlineStyle, outlineWidth } = getComputedStyle(element);
      const { top, bottom, left, right } = element.getBoundingClientRect();
      const isInside = top >= 0 && left >= 0 && bottom <= innerHeight && right <= innerWidth;
      return { what: element.outerHTML.slice(0, 120), outlineStyle, outlineWidth, isInside };
    });
    // Past the last stop, focus is the browser's own for a moment.
    if (!focus) return;
    const isOutlined = focus.outlineStyle !== 'none' && parseFloat(focus.outlineWidth) >= 2;
    assert(isOutlined && focus.isInside, `the focus cannot be seen: ${JSON.stringify(focus)}`);
  }
}

/** A button or a link. Words that only a screen reader hears may follow. */
function pressable(page, words) {
  return page.getByRole('button', { name: words }).or(page.getByRole('link', { name: words })).first();
}

function isFocused(target) {
  return target.evaluate((element) => element === document.activeElement);
}
