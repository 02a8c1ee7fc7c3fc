// Functions are found in a kernel tree by their names: definitions in the kernel's style, not calls or declarations.
import { expect, test } from 'vitest';
import { functionLine } from '../../src/protocol/kernelSource';

const file = `// a file in the kernel's style
static vm_fault_t do_wp_page(struct vm_fault *vmf);

#define for_each_thing(p) \\
	for (p = first(); p; p = next(p))

/*
 * do_wp_page(vmf) is told of here
 */
static int helper(int a)
{
	return do_wp_page(NULL) + helper(a - 1);
}

static vm_fault_t do_wp_page(struct vm_fault *vmf)
	__releases(vmf->ptl)
{
	if (helper(1))
		return do_page(vmf);
}

int
split_name(struct vm_area_struct *vma,
	   unsigned long (*fn)(int))
{
}

struct ops table = { .fault = do_fault(1) };

SYSCALL_DEFINE2(munmap, unsigned long, addr, size_t, len)
{
}
vm_fault_t do_fault(struct vm_fault *vmf) { return 0; }
`;

test.each([
  ['do_wp_page', 14],
  ['helper', 9],
  ['split_name', 22],
  ['munmap', 29],
  ['do_fault', 32],
  ['for_each_thing', 3],
  ['do_page', undefined],
  ['do_wp', undefined],
  ['next', undefined],
])('%s begins on line %s', (name, line) => {
  expect(functionLine(file, name)).toBe(line);
});
