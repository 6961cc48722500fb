/**
 * Frames waiting for the store: while one transaction is under way the next batch gathers.
 *
 * So one frame waits for nobody, and a thousand that come at once cost a few transactions instead of a thousand.
 */
export class FrameIntake {
  #process;
  #onFailure;
  #waiting = [];
  #isRunning = false;

  /**
   * @param {object} options
   * @param {(frames: object[]) => Promise<void>} options.process takes one batch at a time, in order
   * @param {(error: Error) => void} options.onFailure a batch could not be processed; it is dropped
   */
  constructor({ process, onFailure }) {
    this.#process = process;
    this.#onFailure = onFailure;
  }

  /** Queue one frame. Where nothing is under way, resolves when the queue is empty again. */
  async add(frame) {
    this.#waiting.push(frame);
    if (this.#isRunning) return;
    this.#isRunning = true;
    while (this.#waiting.length > 0) await this.#processBatch(this.#waiting.splice(0));
    this.#isRunning = false;
  }

  async #processBatch(frames) {
    try {
      await this.#process(frames);
    } catch (error) {
      // What came after the lost ones must not overtake them: all of it comes again on the next connection.
      this.#waiting.length = 0;
      this.#onFailure(error);
    }
  }
}
