"""What is asked of every page for the sake of people who see, hear or move otherwise."""

CONTRAST = """(() => {
    const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
    const light = (color) => {
        const [r, g, b] = numbers(color).map((part) => part / 255)
            .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const color = getComputedStyle(at).backgroundColor;
            if (numbers(color)[3] !== 0) return color;
        }
        return "rgb(255, 255, 255)";
    };
    const weak = [];
    for (const element of document.querySelectorAll("body *")) {
        const has = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
        if (!has || element.closest(".hidden, .skip, script, title, desc") || !element.checkVisibility()) continue;
        const style = getComputedStyle(element);
        const [one, other] = [element.ownerSVGElement ? style.fill : style.color, behind(element)].map(light);
        const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
        const size = parseFloat(style.fontSize);
        const least = size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5;
        if (ratio < least) weak.push(`${ratio.toFixed(2)} ${element.tagName}.${element.className} ${element.textContent.slice(0, 40)}`);
    }
    return weak;
})()"""
"""Texts whose contrast with what is behind them is too low (WCAG 2.2, 1.4.3)."""
