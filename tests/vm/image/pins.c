// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * 28 GPIO lines as on a Raspberry Pi's header, at which nothing but a file is soldered.
 *
 * Writing "17 0" to /sys/devices/platform/pins/level closes line 17 to ground, "17 1" lets it go;
 * reading it gives the level of every line, 0 first. Debian's kernels have neither gpio-sim nor
 * gpio-mockup, so the machine of the tests brings its own.
 */
#include <linux/gpio/driver.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/spinlock.h>

#define LINES 28

struct pins {
	struct gpio_chip chip;
	raw_spinlock_t lock;
	u32 outputs; /* lines that a program drives */
	u32 driven;  /* what it drives them to */
	u32 outside; /* what is connected to the others */
	u32 heard;   /* lines whose edges are asked for ... */
	u32 rising;  /* ... and which */
	u32 falling;
};

static void put(u32 *bits, unsigned int line, bool value)
{
	*bits = value ? *bits | BIT(line) : *bits & ~BIT(line);
}

static int get_level(struct gpio_chip *chip, unsigned int line)
{
	struct pins *pins = gpiochip_get_data(chip);
	u32 levels = pins->outputs & BIT(line) ? pins->driven : pins->outside;

	return !!(levels & BIT(line));
}

static void set_level(struct gpio_chip *chip, unsigned int line, int value)
{
	struct pins *pins = gpiochip_get_data(chip);
	unsigned long flags;

	raw_spin_lock_irqsave(&pins->lock, flags);
	put(&pins->driven, line, value);
	raw_spin_unlock_irqrestore(&pins->lock, flags);
}

static int direct(struct gpio_chip *chip, unsigned int line, bool output)
{
	struct pins *pins = gpiochip_get_data(chip);
	unsigned long flags;

	raw_spin_lock_irqsave(&pins->lock, flags);
	put(&pins->outputs, line, output);
	raw_spin_unlock_irqrestore(&pins->lock, flags);
	return 0;
}

static int make_input(struct gpio_chip *chip, unsigned int line)
{
	return direct(chip, line, false);
}

static int make_output(struct gpio_chip *chip, unsigned int line, int value)
{
	set_level(chip, line, value);
	return direct(chip, line, true);
}

static int get_direction(struct gpio_chip *chip, unsigned int line)
{
	struct pins *pins = gpiochip_get_data(chip);

	return pins->outputs & BIT(line) ? GPIO_LINE_DIRECTION_OUT : GPIO_LINE_DIRECTION_IN;
}

static void listen(struct irq_data *irq, bool wanted)
{
	struct gpio_chip *chip = irq_data_get_irq_chip_data(irq);
	struct pins *pins = gpiochip_get_data(chip);
	unsigned long flags;

	raw_spin_lock_irqsave(&pins->lock, flags);
	put(&pins->heard, irqd_to_hwirq(irq), wanted);
	raw_spin_unlock_irqrestore(&pins->lock, flags);
}

static void mask(struct irq_data *irq)
{
	listen(irq, false);
	gpiochip_disable_irq(irq_data_get_irq_chip_data(irq), irqd_to_hwirq(irq));
}

static void unmask(struct irq_data *irq)
{
	gpiochip_enable_irq(irq_data_get_irq_chip_data(irq), irqd_to_hwirq(irq));
	listen(irq, true);
}

static int set_type(struct irq_data *irq, unsigned int type)
{
	struct pins *pins = gpiochip_get_data(irq_data_get_irq_chip_data(irq));
	unsigned long flags;

	if (type & ~IRQ_TYPE_EDGE_BOTH)
		return -EINVAL;
	raw_spin_lock_irqsave(&pins->lock, flags);
	put(&pins->rising, irqd_to_hwirq(irq), type & IRQ_TYPE_EDGE_RISING);
	put(&pins->falling, irqd_to_hwirq(irq), type & IRQ_TYPE_EDGE_FALLING);
	raw_spin_unlock_irqrestore(&pins->lock, flags);
	return 0;
}

static const struct irq_chip edges = {
	.name = "pins",
	.irq_mask = mask,
	.irq_unmask = unmask,
	.irq_set_type = set_type,
	.flags = IRQCHIP_IMMUTABLE,
	GPIOCHIP_IRQ_RESOURCE_HELPERS,
};

static ssize_t level_store(struct device *device, struct device_attribute *attribute,
			   const char *text, size_t size)
{
	struct pins *pins = dev_get_drvdata(device);
	unsigned int line, level;
	unsigned long flags;
	bool is_edge;

	if (sscanf(text, "%u %u", &line, &level) != 2 || line >= LINES || level > 1)
		return -EINVAL;
	raw_spin_lock_irqsave(&pins->lock, flags);
	is_edge = !!(pins->outside & BIT(line)) != level &&
		  (level ? pins->rising : pins->falling) & pins->heard & ~pins->outputs & BIT(line);
	put(&pins->outside, line, level);
	raw_spin_unlock_irqrestore(&pins->lock, flags);
	if (is_edge)
		generic_handle_domain_irq_safe(pins->chip.irq.domain, line);
	return size;
}

static ssize_t level_show(struct device *device, struct device_attribute *attribute, char *text)
{
	struct pins *pins = dev_get_drvdata(device);
	int line;

	for (line = 0; line < LINES; line++)
		text[line] = '0' + get_level(&pins->chip, line);
	text[LINES] = '\n';
	return LINES + 1;
}

static DEVICE_ATTR_RW(level);
static struct attribute *pins_attrs[] = { &dev_attr_level.attr, NULL };
ATTRIBUTE_GROUPS(pins);

static int probe(struct platform_device *device)
{
	struct pins *pins = devm_kzalloc(&device->dev, sizeof(*pins), GFP_KERNEL);

	if (!pins)
		return -ENOMEM;
	raw_spin_lock_init(&pins->lock);
	pins->outside = GENMASK(LINES - 1, 0);
	pins->chip.label = "pinctrl-bcm2711";
	pins->chip.parent = &device->dev;
	pins->chip.owner = THIS_MODULE;
	pins->chip.base = -1;
	pins->chip.ngpio = LINES;
	pins->chip.get = get_level;
	pins->chip.set = set_level;
	pins->chip.direction_input = make_input;
	pins->chip.direction_output = make_output;
	pins->chip.get_direction = get_direction;
	gpio_irq_chip_set_chip(&pins->chip.irq, &edges);
	pins->chip.irq.handler = handle_simple_irq;
	pins->chip.irq.default_type = IRQ_TYPE_NONE;
	platform_set_drvdata(device, pins);
	return devm_gpiochip_add_data(&device->dev, &pins->chip, pins);
}

static struct platform_driver driver = {
	.driver = { .name = "pins", .dev_groups = pins_groups },
	.probe = probe,
};
static struct platform_device *device;

static int __init start(void)
{
	int error = platform_driver_register(&driver);

	if (error)
		return error;
	device = platform_device_register_simple("pins", PLATFORM_DEVID_NONE, NULL, 0);
	if (!IS_ERR(device))
		return 0;
	platform_driver_unregister(&driver);
	return PTR_ERR(device);
}

static void __exit stop(void)
{
	platform_device_unregister(device);
	platform_driver_unregister(&driver);
}

module_init(start);
module_exit(stop);
MODULE_DESCRIPTION("GPIO lines that a file presses");
MODULE_LICENSE("Dual MIT/GPL");
