/* The registers of an STM32L4R5 that this port needs (ST RM0432, STM32L4+ reference manual; the chapter
 * is beside each block). */
#ifndef EKW_STM32L4R5_REGISTERS_H
#define EKW_STM32L4R5_REGISTERS_H

#include "port/common/core.h"

/* Embedded flash memory (FLASH). */
#define FLASH_ACR EKW_REGISTER(0x40022000u)
#define FLASH_ACR_LATENCY 15u
#define FLASH_ACR_PREFETCH_AND_CACHES ((1u << 8) | (1u << 9) | (1u << 10))

/* Power control (PWR). */
#define PWR_CR2 EKW_REGISTER(0x40007004u)
#define PWR_CR2_IOSV (1u << 9)
#define PWR_CR5 EKW_REGISTER(0x40007080u)
#define PWR_CR5_R1MODE (1u << 8) /* 0: range 1 is boosted */

/* Reset and clock control (RCC). */
#define RCC_CR EKW_REGISTER(0x40021000u)
#define RCC_CR_HSION (1u << 8)
#define RCC_CR_HSIRDY (1u << 10)
#define RCC_CR_PLLON (1u << 24)
#define RCC_CR_PLLRDY (1u << 25)
#define RCC_CFGR EKW_REGISTER(0x40021008u)
#define RCC_CFGR_SW_PLL 3u
#define RCC_CFGR_SWS (3u << 2)
#define RCC_CFGR_SWS_PLL (3u << 2)
#define RCC_CFGR_HPRE (15u << 4)
#define RCC_CFGR_HPRE_2 (8u << 4)
#define RCC_PLLCFGR EKW_REGISTER(0x4002100Cu)
#define RCC_PLLCFGR_HSI16 2u
#define RCC_PLLCFGR_M(divider) (((divider) - 1u) << 4)
#define RCC_PLLCFGR_N(factor) ((factor) << 8)
#define RCC_PLLCFGR_R_2 (1u << 24) /* output on, divided by 2 */
#define RCC_AHB2ENR EKW_REGISTER(0x4002104Cu)
#define RCC_AHB2ENR_GPIOF (1u << 5)
#define RCC_AHB2ENR_GPIOG (1u << 6)
#define RCC_APB1ENR1 EKW_REGISTER(0x40021058u)
#define RCC_APB1ENR1_TIM2 (1u << 0)
#define RCC_APB1ENR1_PWR (1u << 28)
#define RCC_APB1ENR2 EKW_REGISTER(0x4002105Cu)
#define RCC_APB1ENR2_LPUART1 (1u << 0)

/* General-purpose I/Os (GPIO), ports F and G. */
#define GPIOF_MODER EKW_REGISTER(0x48001400u)
#define GPIOF_BSRR EKW_REGISTER(0x48001418u)
#define GPIO_SET(pin) (1u << (pin))
#define GPIO_RESET(pin) (1u << ((pin) + 16u))
#define GPIOG_MODER EKW_REGISTER(0x48001800u)
#define GPIOG_AFRL EKW_REGISTER(0x48001820u)
#define GPIOG_AFRH EKW_REGISTER(0x48001824u)

/* General-purpose timers (TIM2 to TIM5). */
#define TIM2_CR1 EKW_REGISTER(0x40000000u)
#define TIM2_CR1_CEN (1u << 0)
#define TIM2_DIER EKW_REGISTER(0x4000000Cu)
#define TIM2_DIER_UIE (1u << 0)
#define TIM2_SR EKW_REGISTER(0x40000010u)
#define TIM2_SR_UIF (1u << 0)
#define TIM2_CNT EKW_REGISTER(0x40000024u)
#define TIM2_ARR EKW_REGISTER(0x4000002Cu)

/* Low-power UART (LPUART); EKW_UART_BASE is in the board's TOML file. */
#define LPUART_CR1 EKW_REGISTER(EKW_UART_BASE + 0x00u)
#define LPUART_CR1_UE_RE_TE_RXNEIE ((1u << 0) | (1u << 2) | (1u << 3) | (1u << 5))
#define LPUART_BRR EKW_REGISTER(EKW_UART_BASE + 0x0Cu)
#define LPUART_ISR EKW_REGISTER(EKW_UART_BASE + 0x1Cu)
#define LPUART_ISR_RXNE (1u << 5)
#define LPUART_ISR_TC (1u << 6)
#define LPUART_ISR_TXE (1u << 7)
#define LPUART_ICR EKW_REGISTER(EKW_UART_BASE + 0x20u)
#define LPUART_ICR_ALL_ERRORS 15u /* parity, framing, noise, overrun */
#define LPUART_RDR EKW_REGISTER(EKW_UART_BASE + 0x24u)
#define LPUART_TDR EKW_REGISTER(EKW_UART_BASE + 0x28u)
#define LPUART_PRESC EKW_REGISTER(EKW_UART_BASE + 0x2Cu)
#define LPUART_PRESC_1 0u
#define LPUART_PRESC_16 7u

#endif
