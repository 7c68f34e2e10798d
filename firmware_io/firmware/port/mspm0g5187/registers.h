/* The registers of an MSPM0G5187 that this port needs. Addresses and bits are those of TI's device header
 * mspm0g518x.h and the headers it includes (MSPM0 SDK, hw_*.h beside each block); the sequences follow
 * the MSPM0 G-series technical reference manual, SLAU846, which was written before this device. */
#ifndef EKW_MSPM0G5187_REGISTERS_H
#define EKW_MSPM0G5187_REGISTERS_H

#include "port/common/core.h"

/* System controller: hw_sysctl_mspm0g518x.h. */
#define SYSCTL(offset) EKW_REGISTER(0x400AF000u + (offset))
#define MCLKCFG SYSCTL(0x1104u)
#define MCLKCFG_UDIV_2 (1u << 4) /* ULPCLK is half of MCLK */
#define MCLKCFG_FLASHWAIT_2 (2u << 8)
#define MCLKCFG_USEHSCLK (1u << 16)
#define HSCLKEN SYSCTL(0x1108u)
#define HSCLKEN_SYSPLLEN (1u << 8)
#define HSCLKCFG SYSCTL(0x110Cu)
#define HSCLKCFG_SYSPLL 0u
#define SYSPLLCFG0 SYSCTL(0x1120u)
#define SYSPLLCFG0_MCLK2XVCO (1u << 1) /* MCLK comes from CLK2X; the reference, bit 0, is SYSOSC */
#define SYSPLLCFG0_ENABLECLK2X (1u << 6)
#define SYSPLLCFG0_RDIVCLK2X(divider) (((divider) - 1u) << 16)
#define SYSPLLCFG1 SYSCTL(0x1124u)
#define SYSPLLCFG1_PDIV_2 1u
#define SYSPLLCFG1_QDIV(factor) (((factor) - 1u) << 8)
#define SYSPLLPARAM0 SYSCTL(0x1128u)
#define SYSPLLPARAM1 SYSCTL(0x112Cu)
#define CLKSTATUS SYSCTL(0x1204u)
#define CLKSTATUS_HSCLKMUX (1u << 4)
#define CLKSTATUS_SYSPLLGOOD (1u << 9)
#define CLKSTATUS_SYSPLLOFF (1u << 14)
#define CLKSTATUS_HSCLKGOOD (1u << 21)

/* CPU subsystem: m0p/hw_cpuss.h. Factory constants: m0p/hw_factoryregion.h. */
#define CPUSS_CTL EKW_REGISTER(0x40401300u)
#define CPUSS_CTL_ICACHE (1u << 1)
#define FACTORY_PLLSTARTUP0_16_32MHZ EKW_REGISTER(0x41C4002Cu)
#define FACTORY_PLLSTARTUP1_16_32MHZ EKW_REGISTER(0x41C40030u)

/* Pins: hw_iomux.h. */
#define PINCM(number) EKW_REGISTER(0x40428000u + 4u * (number))
#define PINCM_CONNECTED (1u << 7)
#define PINCM_INPUT (1u << 18)

/* General-purpose I/Os, port A: hw_gpio.h. */
#define GPIOA(offset) EKW_REGISTER(0x400A0000u + (offset))
#define GPIOA_PWREN GPIOA(0x800u)
#define GPIOA_PWREN_ON 0x26000001u
#define GPIOA_RSTCTL GPIOA(0x804u)
#define GPIOA_RSTCTL_RESET 0xB1000003u
#define GPIOA_DOUTSET GPIOA(0x1290u)
#define GPIOA_DOUTCLR GPIOA(0x12A0u)
#define GPIOA_DOESET GPIOA(0x12D0u)

/* Universal communication module 0: hw_unicomm.h and, as a UART, hw_unicommuart.h (EKW_UART_BASE). */
#define UC0(offset) EKW_REGISTER(0x40A80000u + (offset))
#define UC0_PWREN UC0(0x800u)
#define UC0_PWREN_ON 0x26000001u
#define UC0_RSTCTL UC0(0x804u)
#define UC0_RSTCTL_RESET 0xB1000003u
#define UC0_IPMODE UC0(0x1100u)
#define UC0_IPMODE_UART 0u
#define UART(offset) EKW_REGISTER(EKW_UART_BASE + (offset))
#define UART_CLKDIV UART(0x1000u)
#define UART_CLKSEL UART(0x1008u)
#define UART_CLKSEL_BUSCLK (1u << 3)
#define UART_IMASK UART(0x1028u)
#define UART_INTERRUPT_RX (1u << 10)
#define UART_ICLR UART(0x1048u)
#define UART_CTL0 UART(0x1100u)
#define UART_CTL0_ENABLE (1u << 0)
#define UART_CTL0_RXE_TXE ((1u << 3) | (1u << 4))
#define UART_LCRH UART(0x1104u)
#define UART_LCRH_8N1 (3u << 4)
#define UART_STAT UART(0x1108u)
#define UART_STAT_RX_EMPTY (1u << 2)
#define UART_STAT_TX_EMPTY (1u << 5)
#define UART_STAT_TX_FULL (1u << 6)
#define UART_IFLS UART(0x110Cu)
#define UART_IFLS_RX_NOT_EMPTY (4u << 4)
#define UART_IBRD UART(0x1110u)
#define UART_FBRD UART(0x1114u)
#define UART_TXDATA UART(0x1120u)
#define UART_RXDATA UART(0x1124u)

#endif
