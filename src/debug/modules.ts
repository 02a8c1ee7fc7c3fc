// The parts of an emulated machine as modules: memory management, TTM, the driver, the device, user space; with what they
// were made from, and the variants that are on.
import type { DebugProtocol as P } from '@vscode/debugprotocol';
import type { Session } from './session';

/** Which part the files of the emulation belong to, by the beginning of their names; the first that fits. */
const parts: readonly (readonly [id: string, name: string, beginnings: readonly string[]])[] = [
  ['vmwgfx', 'vmwgfx, the driver', ['drivers/gpu/drm/vmwgfx/']],
  ['ttm', 'TTM, the buffer manager', ['drivers/gpu/drm/ttm/', 'drivers/gpu/drm/']],
  ['fence', 'fences and reservations', ['drivers/dma-buf/']],
  ['svga', 'SVGA device', ['svga/']],
  [
    'mm',
    'memory management',
    ['mm/', 'fs/', 'kernel/', 'lib/', 'arch/x86/mm/', 'arch/x86/kernel/'],
  ],
  ['cpu', 'x86-64 hardware', ['arch/x86/']],
  ['user', 'user space', ['user/']],
];

export function modulesOf(
  { engine, listings }: Session,
  { startModule = 0, moduleCount = 0 }: P.ModulesArguments,
): P.ModulesResponse['body'] {
  const { active } = engine.program.variants;
  const files = listings.all.map(({ file }) => file);
  const partOf = (file: string) =>
    parts.find(([, , of]) => of.some((begin) => file.startsWith(begin)));
  const modules = parts.flatMap(([id, name]): P.Module[] => {
    const own = files.filter((file) => partOf(file)?.[0] === id);
    if (own.length === 0) return [];
    const variants = id === 'vmwgfx' || id === 'mm' ? [...active].join(', ') : '';
    return [
      {
        id,
        name,
        path: own.length === 1 ? own[0]! : `${own.length} files, such as ${own[0]}`,
        symbolStatus: 'every micro-step has a line in a listing',
        ...(variants !== '' && { version: `with ${variants}` }),
      },
    ];
  });
  const some = modules.slice(startModule, moduleCount > 0 ? startModule + moduleCount : undefined);
  return { modules: some, totalModules: modules.length };
}
