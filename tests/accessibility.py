"""What axe-core finds on a page: faults that keep people from using it, such as text that is too pale to read."""

from pathlib import Path

from selenium.webdriver import Chrome

_AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()


def serious_faults(browser: Chrome) -> list[str]:
    """The serious and critical faults of the page that is open, each with the element."""
    browser.set_script_timeout(600)  # a busy machine takes long
    browser.execute_script(_AXE)
    found = browser.execute_async_script(
        "const done = arguments[0]; axe.run({iframes: false}).then(r => done(r.violations.map("
        "fault => [fault.impact, `${fault.id}: ${fault.nodes.map(node => node.html).join(', ')}`])))"
    )
    return [told for impact, told in found if impact in ("serious", "critical")]
