import { Channel, invoke } from "@tauri-apps/api/core";
import type { Send } from "./http";

interface Reply {
  status: number;
  kind: string;
  body: string;
}

type Piece = { text: string } | { end: string | null };

/** Through the desktop shell, whose window these pages are in. */
export const throughShell: Send = async (method, path, signal, body) => {
  signal.throwIfAborted();
  if (path === "events") return new Response(events(signal));
  const reply = await Promise.race([invoke<Reply>("call", { method, path, body }), aborted(signal)]);
  return new Response(reply.status === 204 ? null : reply.body, {
    status: reply.status,
    headers: { "Content-Type": reply.kind },
  });
};

/** Whether these pages are in the shell's window. */
export const inShell = "__TAURI_INTERNALS__" in window;

let streams = 0;

function events(signal: AbortSignal): ReadableStream<Uint8Array<ArrayBuffer>> {
  const number = ++streams;
  const encoder = new TextEncoder();
  return new ReadableStream({
    async start(controller) {
      const pieces = new Channel<Piece>();
      const leave = () => {
        pieces.onmessage = () => {};
        void invoke("unlisten", { number });
      };
      signal.addEventListener(
        "abort",
        () => {
          leave();
          controller.error(signal.reason);
        },
        { once: true },
      );
      pieces.onmessage = (piece) => {
        if ("text" in piece) return controller.enqueue(encoder.encode(piece.text));
        if (!signal.aborted) controller.close();
      };
      await invoke("listen", { number, pieces });
    },
  });
}

function aborted(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  return promise;
}
