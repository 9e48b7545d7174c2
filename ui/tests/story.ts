import { afterAll, beforeAll, expect, onTestFailed, test } from "vitest";
import { Owner } from "./browser";
import { World } from "./world";

/** What a story plays on. */
export interface Stage {
  readonly world: World;
  readonly owner: Owner;
  /** The dashboard's, with its token. */
  readonly link: string;
}

/**
 * Sets a stage for the stories of a file, told in their order: marketplace, dashboard and browser. `begin` starts the
 * agent, and whatever else the first story finds. Returns how a story is told.
 */
export function stories(begin: (stage: Stage) => Promise<void>): (name: string, tell: () => Promise<void>) => void {
  let stage: Partial<Stage> = {};

  beforeAll(async () => {
    const world = new World();
    stage = { world };
    const link = await world.open();
    const owner = await Owner.sitDown();
    stage = { world, owner };
    await begin({ world, owner, link });
  });

  afterAll(async () => {
    await stage.owner?.leave();
    await stage.world?.close();
  });

  return (name, tell) => {
    test(name, async () => {
      onTestFailed(async () => {
        console.log(stage.world?.logs());
        await stage.owner?.picture("failed");
      });
      await tell();
      expect(stage.owner?.faults).toEqual([]);
    });
  };
}
